"""
The start of Snakemake: what was typed, where jobs run, and how a start ends that cannot go on.

The main process alone looks at the dataset; a job reads the few files left for it.
"""

import shlex
import sys
from functools import cache

from snakemake.cli import get_argument_parser

from bidsloom.base.errors import WorkflowFailure, error_message
from bidsloom.base.paths import SCRIPTS, is_run_locked
from bidsloom.base.runners import set_up_environment
from bidsloom.base.space import space_needed
from bidsloom.checks.findings import failures, fault_findings, findings_table
from bidsloom.config import Study
from bidsloom.main_process.opening import look_around, note_config, open_study, remove_old_check
from bidsloom.records.open_study import OpenStudy

# Where this file was fetched by itself (github()), the scripts are the installed ones.
sys.path.append(str(SCRIPTS))

# With these Snakemake reads the rules, and makes no jobs of them.
READ_ONLY = {"--lint", "--list", "-l", "--list-rules", "--list-target-rules", "--lt"}
READ_ONLY |= {"--unlock", "--cleanup-metadata"}


def makes_jobs() -> bool:
    """Whether this process makes jobs of the rules: it alone looks at the study."""
    words = {word.partition("=")[0] for word in sys.argv[1:]}
    return workflow.is_main_process and not words & READ_ONLY


@cache
def typed() -> object:
    """The command line as Snakemake reads it: which words are targets depends on its options."""
    return get_argument_parser().parse_known_args(sys.argv[1:])[0]


def is_only_check() -> bool:
    """Whether `check` is the one target that was typed."""
    if not workflow.is_main_process or "check" not in sys.argv[1:]:
        return False
    return typed().targets == ["check"]


def is_busy() -> bool:
    """Whether another run of this study may be under way."""
    return is_run_locked(Path.cwd())


def end_with(problems: list[WorkflowFailure]) -> None:
    """The end of Snakemake, with an error message, or with the table of a check."""
    if ONLY_CHECK:
        print(findings_table([*FOUND, *fault_findings(problems)]))
        sys.exit(1)
    sys.exit(error_message(problems))


def look_at_study(
    study: Study, settings: dict, together: dict[str, OpenStudy] | None = None
) -> OpenStudy:
    """The study with its units, or the end of Snakemake.

    `settings` are its configuration, `together` the studies that run with it,
    by name.
    """
    set_up_environment()
    with space_needed("The start", [study.results]):
        if ONLY_CHECK:
            findings, opened = look_around(study, here=HERE, telling=True, together=together)
            FOUND.extend(findings)
            if failures(findings):
                end_with([])
        else:
            opened = open_study(study, busy=is_busy(), here=HERE, together=together)
        if ONLY_CHECK or not is_busy():
            partition = "" if HERE else asked_partition(study) or "default"
            remove_old_check(opened, partition=partition, anew=ONLY_CHECK)
        note_config(study, settings)
    return opened


# Snakemake puts the interpreter into shell commands as it is: a repository in
# a folder with a space in its name would find none.
if Path(sys.executable).exists() and sys.executable != shlex.quote(sys.executable):
    sys.executable = shlex.quote(sys.executable)

# With a number of jobs the work is done elsewhere, by a profile with an executor:
# the scratch folder is looked at there.  (A dry run is given a core in any case.)
HERE = workflow.resource_settings.nodes is None
ONLY_CHECK = is_only_check()
# Whether the whole study was asked for: then every unit must be settled at the end.
IS_WHOLE = workflow.is_main_process and typed().targets in ([], ["all"], ["study"])
# What a check found in this process.
FOUND = []
