"""`hpc.environment`: which variables a job gets too, and which the app alone.

A job runs git, git-annex, DataLad, Python and a container runtime.  Variables
that change how these work are given to the app in its container, and to
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..base.errors import WorkflowFailure

# By name, and by what a name starts with.
APP_ALONE = {"PATH", "HOME", "TMPDIR", "TMP", "TEMP", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME"}
APP_ALONE |= {"IFS", "ENV", "BASH_ENV", "CDPATH", "SHELLOPTS", "BASHOPTS", "PS4", "GLOBIGNORE"}
APP_ALONE |= {"LANG", "LANGUAGE", "EDITOR", "PAGER", "LOADEDMODULES", "EMAIL"}
STARTS: tuple[str, ...] = (
    "GIT_",
    "LD_",
    "PYTHON",
    "DATALAD_",
    "SLURM_",
    "SBATCH_",
    "SRUN_",
    "LC_",
    "BASH_FUNC",
)
STARTS += ("SNAKEMAKE_", "BIDSLOOM_", "GCONV_", "MALLOC_", "CONDA_", "VIRTUAL_ENV", "XDG_")
# Apptainer sets these itself, and lets nobody else do so.
NOT_WITH_APPTAINER = ("HOME", "PWD")
# Linux takes no longer one.
MAX_BYTES = 100_000


def is_for_app_alone(name: str) -> bool:
    """Whether a variable would change how the job's own programs work."""
    return name in APP_ALONE or name.startswith(STARTS)


def find_environment_faults(environment: Mapping, runtime: str) -> Iterator[WorkflowFailure]:
    """Variables that cannot be set.

    `runtime` is `none` where the app runs without a container: it then has
    the job's own variables.
    """
    size = 0
    for name, value in environment.items():
        size += len(f"{name}={value}".encode(errors="replace"))
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            continue  # the schema says so
        if runtime == "none" and is_for_app_alone(name):
            yield WorkflowFailure(
                f"hpc.environment sets {name}, which would change how the job's own programs work: "
                "without a container the app has the job's variables.",
                hint=f"set it in the app's call alone, container.call_fmt: \"env {name}=... "
                '{img} {cmd}".',
            )
        elif runtime in ("auto", "apptainer", "singularity") and name in NOT_WITH_APPTAINER:
            yield WorkflowFailure(
                f"hpc.environment sets {name}, which Apptainer sets itself in a container.",
                hint="delete it; the app's home is a private folder in the container.",
            )
    if size > MAX_BYTES:
        yield WorkflowFailure(
            f"hpc.environment takes {size:,} bytes; expected: at most {MAX_BYTES:,}.",
            hint="put long values into a file, and bind it (container.binds).",
        )
