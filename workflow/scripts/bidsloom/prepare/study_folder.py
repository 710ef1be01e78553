"""A folder for a new study, which uses the workflow where it is installed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
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
CHAIN = """\
# A chain: studies that run as one.  Each has its config file, beside this one; a study
# reads the results of another one by `study` in its datalad.inputs.
#
#     snakemake -n                 which subjects of which study, which jobs
#     snakemake --cores all        here, on this machine
#     snakemake --profile slurm    on the cluster

studies: [{files}]
"""
# In the config of each study but the first one.
READS = """\
  # The results of another study of the chain that this one reads:
  # inputs: [{{study: {study}, flag: --derivatives}}]
"""
IGNORED = """\
/.snakemake/
/.cache/
/results/
/slurm-*.out
"""


def list_apps() -> list[str]:
    """Apps that there is an example config for."""
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def make_study(folder: Path, *, app: str | None = None, chain: Sequence[str] = ()) -> None:
    """Write a study's folder, or that of a chain of studies of some apps.

    Raises `WorkflowFailure` where something is there already, or an app of the
    chain has an impossible name.
    """
    if app and chain:
        raise WorkflowFailure("--app and --chain are both set.", hint="leave --app out.")
    for name in chain:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name) or chain.count(name) > 1:
            raise WorkflowFailure(
                f"--chain names the app {name!r} twice, or by characters other than letters, "
                "digits and '-'.",
                hint="for example --chain fmriprep xcpd.",
            )
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise WorkflowFailure(
            f"{folder} is not a folder.", hint="name a folder that is new or empty."
        )
    if folder.exists() and any(folder.iterdir()):
        raise WorkflowFailure(
            f"{folder} is not empty; nothing was written to it.",
            hint="name a folder that is new or empty.",
        )
    (folder / "config").mkdir(parents=True)
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / ".gitignore").write_text(IGNORED)
    if chain:
        write_chain(folder / "config", chain)
    else:
        (folder / "config" / "config.yaml").write_text(read_template(app))
    # Error messages name it.
    shutil.copyfile(REPOSITORY / "config" / "README.md", folder / "config" / "README.md")
    for profile in ("default", "slurm"):
        (folder / "profiles" / profile).mkdir(parents=True)
        file = Path("profiles", profile, "config.yaml")
        shutil.copyfile(PROFILES / profile / "config.yaml", folder / file)
    # `snakemake --profile slurm` looks for a folder of this name.
    (folder / "slurm").symlink_to(Path("profiles", "slurm"))


def write_chain(folder: Path, apps: Sequence[str]) -> None:
    """Write the config files of a chain, and the file that lists them."""
    files = ", ".join(f"{app}.yaml" for app in apps)
    (folder / "config.yaml").write_text(CHAIN.format(files=files))
    for number, app in enumerate(apps):
        text = read_template(app)
        if number:
            reads = READS.format(study=f"mystudy-{apps[number - 1]}")
            text = re.sub(r"(?m)^(  output_repos: .*\n)", rf"\g<1>{reads}", text, count=1)
        (folder / f"{app}.yaml").write_text(text)


def read_template(app: str | None) -> str:
    """The config to start from: an app's example, or that of any BIDS App, with its name."""
    if app in list_apps():
        return name_schema((EXAMPLES / f"{app}.yaml").read_text())
    text = name_schema((REPOSITORY / "config" / "template.yaml").read_text())
    if app is None:
        return text
    return text.replace("study: mystudy\n", f"study: mystudy-{app}\n").replace("myapp", app)


def name_schema(text: str) -> str:
    """A config whose first line leads editors to the schema of this installation."""
    schema = re.escape("# yaml-language-server: $schema=")
    return re.sub(f"^({schema}).*", lambda found: f"{found[1]}{SCHEMA_FILE}", text, count=1)
