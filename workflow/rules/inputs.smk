"""
What the rules take: functions over the study, for `input:` and `params:`.

In a job's process there is no opened study: what it needs is read from the
few files that the main process left for it.
"""

from bidsloom.records.fingerprints import unit_fingerprint
from bidsloom.records.prepared import require_prepared
from bidsloom.scheduling.batches import batch_name, read_batch
from bidsloom.units.completeness import expects_digest
from bidsloom.units.unit_tables import read_unit


def unit_results(wildcards) -> list[str]:
    """Records of all units, or of the batches in which several are processed."""
    if not IN_BATCHES:
        return [f"<study>/jobs/{unit}.json" for unit in OPENED.names if unit not in OPENED.waits]
    # By its whole path a record is no output of a rule: Snakemake's notes
    # of the job that made an earlier one would make a finished unit due again.
    done = [str(STUDY.files.record(name)) for name in sorted(OPENED.done)]
    own = "" if STUDY.resources.units_per_job > 1 else "_array"
    return done + [
        (
            f"<study>/batches/{batch_name(batch)}{own}.json"
            if len(batch) > 1
            else f"<study>/jobs/{batch[0].name}.json"
        )
        for batch in BATCHES
    ]


def what_a_job_needs(wildcards) -> list[str]:
    """The prepared study, unless the unit is done: then nothing makes it due again."""
    if OPENED and wildcards.unit in OPENED.done:
        return []
    return what_a_batch_needs(wildcards)


def what_a_batch_needs(wildcards) -> list[str]:
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
    return unit_fingerprint(STUDY, unit, require_prepared(STUDY).image)
