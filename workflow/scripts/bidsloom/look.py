"""Look at everything a study names before anything is submitted.

Runs in Snakemake's main process, for a dry run too, and writes nothing to any
store.  What it finds is kept under `results/<study>/` (a clone of the input
without a work tree, the list of units), so that a second look costs no second
index and a job's start costs none at all.
"""

from __future__ import annotations

import dataclasses

from .clones import clone_output, pin_further, pin_input
from .config import Study
from .containers import ImageKind, check_mounts, image_id, image_kind
from .due import explain_due, list_withdrawn
from .errors import FailureClass, WorkflowFailure
from .listing import cached_units
from .locks import exclusive
from .preflight import (
    check,
    check_identity,
    check_input_url,
    check_scratch,
    check_tools,
    check_work_dir,
)
from .records import read_json
from .runtimes import check_runtime
from .settle import drop_outdated_files, find_done, restore_records, set_aside_records
from .study import OpenStudy
from .targets import Target, all_targets, check_target


def open_study(study: Study, *, busy: bool = False, here: bool = True) -> OpenStudy:
    """Check everything a study names, list its units, and settle their records.

    `busy` says that another run of this study may be under way: its records
    are then left where they are.  `here` says that jobs run on this machine,
    whose scratch folder is then looked at too.

    Raises `ConfigFailure` with every fault found.
    """
    check(
        check_tools,
        check_identity,
        lambda: here and check_work_dir(study.work_dir),
        lambda: image_kind(study) is ImageKind.FILE and image_id(study),
        lambda: check_runtime(study, here=here),
        lambda: check_mounts(study),
        lambda: check_input_url(study.input_url, key="datalad.input_repo"),
        *(
            lambda url=further.url: check_input_url(url, key="datalad.inputs")
            for further in study.further_inputs
        ),
        *(lambda target=target: check_target(target, study) for target in all_targets(study)),
    )
    with exclusive(study):
        for target in all_targets(study):
            if check_target(target, study):
                clone_output(target, study)
            else:
                refuse_lost_store(study, target)
        commit, further = pin_input(study), pin_further(study)
        units = cached_units(study, commit, further)
        opened = OpenStudy(study, units, image_id(study), further)
        check(lambda: here and check_scratch(study, units))
        if not busy:
            drop_outdated_files(opened)
            set_aside_records(opened)
        restore_records(opened)
        opened = dataclasses.replace(opened, done=find_done(opened))
        return dataclasses.replace(
            opened, why=explain_due(opened), withdrawn=list_withdrawn(opened)
        )


def refuse_lost_store(study: Study, target: Target) -> None:
    """Refuse an empty output store that results were pushed to before.

    It may not be mounted; a new one in its place would hide the results, and
    everything would be computed again.
    """
    prepared = read_json(study.results / "prepared.json") or {}
    if target.path and target.path not in prepared.get("bases", {}):
        # An output that the study did not have before.
        return
    pushed = len(list((study.results / "jobs").glob("*.json")))
    if pushed:
        raise WorkflowFailure(
            f"The output store {target.store.url} is missing or empty, but {pushed} unit(s) of "
            f"study {study.name} were pushed to it.",
            hint="mount it, or correct its place in the config; to start anew in a new store, "
            f"remove '{study.results}' first.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        )
