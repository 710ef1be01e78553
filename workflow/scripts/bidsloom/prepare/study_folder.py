"""A folder for a new study, which uses the workflow where it is installed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.paths import EXAMPLES, PROFILES, REPOSITORY, SCHEMA_FILE

SNAKEFILE = '''"""
A study, run by bidsloom; config/config.yaml says what is processed, and how.

    snakemake --cores 1 check    is all there, and does it work?
    snakemake -n                 which subjects, which jobs
    snakemake --cores all        here, on this machine
    snakemake --profile slurm    on the cluster
"""

from bidsloom.base.paths import SNAKEFILE

# A study given with --configfile stands alone.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


module study:
    snakefile:
        str(SNAKEFILE)
    config:
        config


use rule * from study


# Report, and after a failure merge what is finished.
onsuccess:
    study.onsuccess()


onerror:
    study.onerror()
'''
IGNORED = """\
/.snakemake/
/.cache/
/results/
/slurm-*.out
"""


def list_apps() -> list[str]:
    """Apps that there is an example config for."""
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def make_study(folder: Path, *, app: str | None = None) -> None:
    """Write a study's folder.

    Raises `WorkflowFailure` where something is there already.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise WorkflowFailure(
            f"{folder} is not a folder.", hint="name a folder that is new or empty."
        )
    if folder.exists() and any(folder.iterdir()):
        raise WorkflowFailure(
            f"{folder} is not empty; nothing was written to it.",
            hint="name a folder that is new or empty.",
        )
    template = EXAMPLES / f"{app}.yaml" if app else REPOSITORY / "config" / "template.yaml"
    (folder / "config").mkdir(parents=True)
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / ".gitignore").write_text(IGNORED)
    (folder / "config" / "config.yaml").write_text(name_schema(template.read_text()))
    # Error messages name it.
    shutil.copyfile(REPOSITORY / "config" / "README.md", folder / "config" / "README.md")
    for profile in ("default", "slurm"):
        (folder / "profiles" / profile).mkdir(parents=True)
        file = Path("profiles", profile, "config.yaml")
        shutil.copyfile(PROFILES / profile / "config.yaml", folder / file)
    # `snakemake --profile slurm` looks for a folder of this name.
    (folder / "slurm").symlink_to(Path("profiles", "slurm"))


def name_schema(text: str) -> str:
    """A config whose first line leads editors to the schema of this installation."""
    schema = re.escape("# yaml-language-server: $schema=")
    return re.sub(f"^({schema}).*", lambda found: f"{found[1]}{SCHEMA_FILE}", text, count=1)
