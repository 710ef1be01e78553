"""
What all rules of a study share: the study, its units, and how its run ends.
"""

from bidsloom.base.errors import ConfigFailure, WorkflowFailure, error_message
from bidsloom.config import read_study
from bidsloom.config.producers import study_name
from bidsloom.main_process.ending import (
    conclude_run,
    describe_check,
    describe_last_export,
    load_addresses,
)
from bidsloom.main_process.opening import fetch_layout
from bidsloom.main_process.start_message import Reasons, describe_start
from bidsloom.reporting.notifications import Addresses
from bidsloom.scheduling.batches import BATCH, batch_name, replace_batches
from bidsloom.scheduling.unit_jobs import batch_size
from bidsloom.units.listing import listing_key
from bidsloom.units.unit import GROUP, UNIT

from slurm_adapter import adapt_slurm


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


def end_run(*, success: bool, logs: list[str]) -> None:
    """What comes after the last job: a table of what was checked, or the study's conclusion."""
    if ONLY_CHECK:
        print(describe_check(STUDY, FOUND))
        return
    try:
        for text in conclude_run(STUDY, ADDRESSES, success=success, complete=IS_WHOLE, logs=logs):
            print(text, file=sys.stderr)
        if success and "export" in typed().targets:
            print("\n".join(describe_last_export(STUDY)), file=sys.stderr)
    except WorkflowFailure as e:
        sys.exit(error_message([e]))


# With more units than this, done ones are mere files, and due ones are put into arrays.
MANY = profile_default("slurm_array_from") or 2000
ADDRESSES, OPENED, IN_BATCHES, BATCHES = Addresses(), None, False, []
OUTERMOST = workflow.modifier_stack[0].globals
# Of a chain, whose studies are opened before their rules are read.
STEP = OUTERMOST.get("CHAIN_STEPS", {}).get(study_name(config))

try:
    if STEP:
        STUDY, OPENED = STEP.study, STEP.opened
    else:
        STUDY = read_study(config, lines=KEY_LINES)
        # A SLURM job parses this file twice; only the main process looks at the dataset.
        if makes_jobs():
            set_up_environment()
            fetch_layout(STUDY)
            STUDY = read_study(config, lines=KEY_LINES, checked=True)
            ADDRESSES = load_addresses(STUDY)
            OPENED = look_at_study(STUDY, config)
except ConfigFailure as e:
    end_with(e.problems)
except WorkflowFailure as e:
    end_with([e])

# What messages start with, where a run has several studies.
WHICH = f"{STUDY.name}: " if STEP else ""


def of_study(message: str) -> str:
    """A message that names the study, where a run has several."""
    return f"{WHICH}{message}"


# Messages are formatted with the names of the outermost Snakefile.
WHY = OUTERMOST.setdefault("WHY", Reasons())
if OPENED:
    WHY.add(STUDY.name, OPENED.why)

ADAPTED = bool(OPENED) and adapt_slurm(STUDY, config, here=HERE, in_chain=bool(STEP))
if OPENED and not ONLY_CHECK:
    if IN_BATCHES := STUDY.resources.units_per_job > 1 or len(OPENED.names) > MANY:
        BATCHES = replace_batches(OPENED, units_a_job(), busy=is_busy())
    print(f"bidsloom: {WHICH}" + "\n".join(describe_start(OPENED)), file=sys.stderr)
