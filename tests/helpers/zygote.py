"""Runs of a study without Snakemake, each in a process forked from this one.

A test of deaths runs a study a thousand times.  Here the imports are paid
once, and the steps are those of the rules: open, prepare, list, process, merge,
conclude.  Reads a line of JSON for each run and answers with its exit code.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from bidsloom.base.datalad_run import import_containers_run
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.runners import set_up_environment
from bidsloom.config import Study, read_config, read_study
from bidsloom.config.request import NOTHING_KNOWN
from bidsloom.datasets import locks, pushes
from bidsloom.erasure.erase import erase_person
from bidsloom.erasure.person import read_person
from bidsloom.main_process.ending import conclude_run
from bidsloom.main_process.opening import open_study
from bidsloom.merge.merge import merge_branches
from bidsloom.prepare.study_dataset import prepare_study
from bidsloom.records.open_study import OpenStudy
from bidsloom.reporting.notifications import Addresses
from bidsloom.reporting.unit_states import collect_rows, refuse_unsettled
from bidsloom.scheduling.batch_job import process_apart, process_batch
from bidsloom.scheduling.batches import batch_name, replace_batches
from bidsloom.units.unit_tables import write_unit_tables

# A lock file of a dead git is waited out for half a minute; here it is known to be dead.
pushes.STALE_LOCK_SECONDS = locks.STALE_LOCK_SECONDS = 2.0


def run_study(config: Path, phases: list[str]) -> None:
    """Some phases of a study, as far as they are due; raises where the run ends with an error.

    `erase` stands by itself: sub-02 is erased.
    """
    study = read_study(read_config(config))
    if "erase" in phases:
        erase_person(study, read_person("02"))
        return
    opened = open_study(study)
    if "prepare" in phases:
        prepare(opened)
    if "process" in phases:
        process(opened)
    if "merge" in phases:
        merge(study)
        list(conclude_run(study, Addresses(), success=True, complete=True))


def prepare(opened: OpenStudy) -> None:
    """The rules prepare_study and list_subjects."""
    study = opened.study
    if not study.files.prepared.exists():
        commit, image = opened.units.commit, opened.image_id
        prepare_study(study, commit=commit, image_id=image, further=opened.further)
    if not study.files.subjects.exists() or not study.files.excluded.exists():
        tables = {"subjects": study.files.subjects, "excluded": study.files.excluded}
        write_unit_tables(opened.units, **tables)


def process(opened: OpenStudy) -> None:
    """The rule process_subject, or process_batch, for every unit that is due."""
    study = opened.study
    if study.resources.units_per_job > 1:
        for batch in replace_batches(opened, busy=False):
            # As in the rules' inputs: a unit that is alone has a job of its own.
            if len(batch) > 1:
                process_batch(study, batch_name(batch), requested=NOTHING_KNOWN)
            else:
                process_apart(study, batch[0], requested=NOTHING_KNOWN, introduction="")
        return
    for unit in opened.units.units:
        if unit.name not in opened.done:
            process_apart(study, unit, requested=NOTHING_KNOWN, introduction="")


def merge(study: Study) -> None:
    """The rule merge_branches."""
    if study.files.all_merged.exists():
        return
    merged = merge_branches(study)
    if merged.unmerged:
        raise WorkflowFailure(f"left unmerged: {merged.unmerged}")
    refuse_unsettled(collect_rows(study))
    study.files.all_merged.write_text(f"{merged.main}\n")


def run_apart(order: dict) -> int:
    """A run in a session of its own, which a wrapped git may kill; returns its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        os.setsid()
        os.chdir(order["cwd"])
        os.environ.update(order["env"])
        handle = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        set_up_environment()
        run_study(Path(order["config"]), order["phases"])
        code = 0
    except WorkflowFailure as e:
        print(e, file=sys.stderr)
        code = 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    import_containers_run()
    for line in sys.stdin:
        print(run_apart(json.loads(line)), flush=True)
