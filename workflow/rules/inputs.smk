"""
What the rules take: functions over the study, for `input:` and `params:`.

In a job's process there is no opened study: what it needs is read from the
few files that the main process left for it.
"""

from bidsloom.records.fingerprints import Fingerprints
from bidsloom.records.job_record import list_newer
from bidsloom.records.prepared import require_prepared
from bidsloom.scheduling.batches import read_batch
from bidsloom.units.completeness import expects_digest
from bidsloom.units.unit_tables import read_unit

# Two rules ask for them; looked at once, since there may be 50,000.
UNSEEN = list_newer(STUDY, OPENED.done, STUDY.files.all_merged) if IN_BATCHES else []


def unit_results(wildcards) -> list[str]:
    """Records of all units, or what the batches write in which several are processed.

    Of the units that are done, these are then only the records that the last
    merge did not see: Snakemake would look at each of the others for nothing.
    """
    # By its whole path a record is no output of a rule: Snakemake's notes
    # of the job that made an earlier one would make a finished unit due again.
    return [str(record) for record in UNSEEN] + due_results()


def due_results() -> list[str]:
    """What the rules for units write."""
    if IN_BATCHES:
        return [file_of_batch(batch) for batch in BATCHES]
    return [f"<study>/jobs/{unit}.json" for unit in OPENED.names if unit not in OPENED.waits]


def file_of_batch(batch: tuple) -> str:
    """What a batch's job writes when its units are done."""
    if len(batch) == 1:
        return f"<study>/jobs/{batch[0].name}.json"
    own = "" if STUDY.resources.units_per_job > 1 else "_array"
    return f"<study>/batches/{batch_name(batch)}{own}.json"


def result_files() -> dict[str, str]:
    """Unit that is due -> the file that says so when it is done; for other studies of a chain."""
    if IN_BATCHES:
        files = {u.name: file_of_batch(batch) for batch in BATCHES for u in batch}
    else:
        settled = {*OPENED.done, *OPENED.waits}
        due = (unit for unit in OPENED.names if unit not in settled)
        files = {unit: f"<study>/jobs/{unit}.json" for unit in due}
    files[GROUP] = "<study>/group_merged.txt"
    return dict(zip(files, spelled_out(files.values()), strict=True))


def spelled_out(files: list[str]) -> list[str]:
    """Files of this study as rules outside of it write them."""
    return [file.replace("<study>", f"results/{STUDY.name}") for file in files]


def whole_study(wildcards) -> list[str]:
    """All that is to be made of the study, for the rules of a chain."""
    files = [*due_results(), last_results(wildcards), "<study>/report.html"]
    return spelled_out(files)


def check_files() -> list[str]:
    """What the checks on the nodes write."""
    lock = STUDY.lock_file and not HERE
    return ["<study>/checked.json", *(["<study>/lock_checked.json"] if lock else [])]


if STEP and OPENED:
    STEP.result_files = result_files()
    STEP.whole, STEP.checks = whole_study, spelled_out(check_files())


def awaited_files(units: list[str]) -> list[str]:
    """What says that the results of other studies are there which some units read."""
    awaited = (pair for unit in units for pair in OPENED.awaited(unit)) if STEP and OPENED else ()
    steps = OUTERMOST.get("CHAIN_STEPS", {})
    return list(dict.fromkeys(steps[study].result_files[unit] for study, unit in awaited))


def files_of_producers(name: str) -> list[str]:
    """A file of each other study of a chain whose results are an input."""
    return [f"results/{producer}/{name}" for producer in STEP.needs] if STEP else []


def merges_before(wildcards) -> list[str]:
    """The merges of other studies whose results are read: they come first."""
    steps = OUTERMOST.get("CHAIN_STEPS", {})
    return [steps[producer].merged_file for producer in STEP.needs] if STEP else []


def what_a_job_needs(wildcards) -> list[str]:
    """The prepared study, unless the unit is done: then nothing makes it due again."""
    if OPENED and wildcards.unit in OPENED.done:
        return []
    return what_jobs_need() + awaited_files([wildcards.unit])


def what_a_batch_needs(wildcards) -> list[str]:
    """The prepared study, and what any unit of the batch waits for."""
    return what_jobs_need() + awaited_files([u.name for u in read_batch(STUDY, wildcards.batch)])


def what_jobs_need() -> list[str]:
    """The prepared study.

    Not by `ancient()`: below a file that is made again although it exists,
    Snakemake then starts nothing, not even what has no output yet.
    """
    # The check comes after preparing.  A job in the queue was let through: what a
    # later day asks for is not its business.
    checked = OPENED and not HERE and STUDY.resources.check_node
    first = "checked" if checked else "prepared"
    return [f"<study>/{first}.json", "<study>/subjects.tsv"]


def what_a_check_needs(wildcards) -> list[str]:
    """Before jobs, the prepared study; by itself a check leaves everything as it is."""
    before_jobs = OPENED and not ONLY_CHECK
    return ["<study>/prepared.json"] if before_jobs else []


def what_the_group_needs(wildcards) -> list[str]:
    """All that is merged, and the prepared study, unless the group is done."""
    due = OPENED and not STUDY.files.record(GROUP).exists()
    return ["<study>/merged.txt", *(["<study>/prepared.json"] if due else [])]


def last_results(wildcards) -> str:
    """What says that all is merged, the group's result included where there is one."""
    return "<study>/group_merged.txt" if STUDY.container.group_level else "<study>/merged.txt"


def units_of(wildcards) -> str:
    """The units of a batch, for people."""
    return ", ".join(unit.name for unit in read_batch(STUDY, wildcards.batch))


def fingerprint_of(wildcards) -> str:
    """What a unit's result must be made from; a change makes the unit due again.

    What it reads of other studies' results is no part of it: a job knows that
    when it starts, and a new start sets aside what was made from older ones.
    """
    if OPENED:
        return OPENED.own_fingerprint(wildcards.unit)
    unit = read_unit(STUDY, wildcards.unit)
    return Fingerprints(STUDY, require_prepared(STUDY).image).of(unit)
