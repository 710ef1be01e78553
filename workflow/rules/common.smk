"""
What all rules share: the study, its units, and how a run begins and ends.

The main process alone looks at the dataset; a job reads the few files left for it.
"""

import shlex
from functools import cache

from snakemake.cli import get_argument_parser

from bidsloom.base.errors import ConfigFailure, WorkflowFailure, error_message
from bidsloom.base.paths import SCRIPTS
from bidsloom.base.runners import set_up_environment
from bidsloom.checks.findings import Finding, failures, fault_findings, findings_table
from bidsloom.config import Study, read_study
from bidsloom.main_process.ending import conclude_run, describe_check, load_addresses
from bidsloom.main_process.opening import look_around, open_study, remove_old_check
from bidsloom.main_process.start_message import Reasons, describe_start
from bidsloom.records.open_study import OpenStudy
from bidsloom.reporting.notifications import Addresses
from bidsloom.scheduling.batches import BATCH, replace_batches
from bidsloom.scheduling.node_call import write_job_config
from bidsloom.scheduling.unit_jobs import batch_size
from bidsloom.units.listing import listing_key
from bidsloom.units.unit import GROUP, UNIT

# Where this file was fetched by itself (github()), the scripts are the installed ones.
sys.path.append(str(SCRIPTS))
from slurm_adapter import adapt_slurm

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


def units_a_job() -> int:
    """How many units a job of Snakemake's stands for, where there are thousands of them."""
    if STUDY.resources.units_per_job > 1:
        return STUDY.resources.units_per_job
    # A profile with this is one for SLURM.
    most = profile_default("slurm_array")
    if not typed().dryrun and (HERE or not ADAPTED or most is None):
        return 1
    return batch_size(
        due=len(OPENED.names) - len(OPENED.done),
        many=MANY,
        most=1000 if most is None else most,
        at_once=workflow.resource_settings.nodes or 0,
    )


def is_busy() -> bool:
    """Whether another run of this study may be under way."""
    return any(Path(".snakemake", "locks").glob("*"))


def end_with(problems: list[WorkflowFailure]) -> None:
    """The end of Snakemake, with an error message, or with the table of a check."""
    if ONLY_CHECK:
        print(findings_table([*FOUND, *fault_findings(problems)]))
        sys.exit(1)
    sys.exit(error_message(problems))


def look_at_study(study: Study) -> OpenStudy:
    """The study with its units, or the end of Snakemake."""
    set_up_environment()
    if ONLY_CHECK:
        findings, opened = look_around(study, here=HERE, telling=True)
        FOUND.extend(findings)
        if failures(findings):
            end_with([])
    else:
        opened = open_study(study, busy=is_busy(), here=HERE)
    if ONLY_CHECK or not is_busy():
        partition = "" if HERE else asked_partition(study) or "default"
        remove_old_check(opened, partition=partition, anew=ONLY_CHECK)
    return opened


def end_run(*, success: bool, logs: list[str]) -> None:
    """What comes after the last job: a table of what was checked, or the study's conclusion."""
    if ONLY_CHECK:
        print(describe_check(STUDY, FOUND))
        return
    try:
        for text in conclude_run(STUDY, ADDRESSES, success=success, complete=IS_WHOLE, logs=logs):
            print(text, file=sys.stderr)
    except WorkflowFailure as e:
        sys.exit(error_message([e]))


# Snakemake puts the interpreter into shell commands as it is: a repository in
# a folder with a space in its name would find none.
if sys.executable != shlex.quote(sys.executable):
    sys.executable = shlex.quote(sys.executable)

# With a number of jobs the work is done elsewhere, by a profile with an executor:
# the scratch folder is looked at there.  (A dry run is given a core in any case.)
HERE = workflow.resource_settings.nodes is None
ONLY_CHECK = is_only_check()
# Whether the whole study was asked for: then every unit must be settled at the end.
IS_WHOLE = workflow.is_main_process and typed().targets in ([], ["all"], ["study"])
# With more units than this, done ones are mere files, and due ones are put into arrays.
MANY = profile_default("slurm_array_from") or 2000
# What a check found in this process.
FOUND = []
ADDRESSES, OPENED, IN_BATCHES, BATCHES = Addresses(), None, False, []

try:
    STUDY = read_study(config, lines=KEY_LINES)
    # A SLURM job parses this file twice; only the main process looks at the dataset.
    if makes_jobs():
        ADDRESSES = load_addresses(STUDY)
        OPENED = look_at_study(STUDY)
        # Studies that read its results know it by its name.
        write_job_config(STUDY, config)
except ConfigFailure as e:
    end_with(e.problems)
except WorkflowFailure as e:
    end_with([e])

# Messages are formatted with the names of the outermost Snakefile.
WHY = Reasons(OPENED.why if OPENED else {})
workflow.modifier_stack[0].globals["WHY"] = WHY

ADAPTED = bool(OPENED) and adapt_slurm(STUDY, config, here=HERE)
if OPENED and not ONLY_CHECK:
    if IN_BATCHES := STUDY.resources.units_per_job > 1 or len(OPENED.names) > MANY:
        BATCHES = replace_batches(OPENED, units_a_job(), busy=is_busy())
    print("bidsloom: " + "\n".join(describe_start(OPENED)), file=sys.stderr)
