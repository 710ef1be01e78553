"""Look at everything a study names before anything is submitted.

Runs in Snakemake's main process, for a dry run too, and writes nothing to any
store.  What it finds is kept under `results/<study>/` (a clone of the input
without a work tree, the list of units), so that a second look costs no second
index and a job's start costs none at all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from .cancelled import forget_cancels
from .clones import clone_output, pin_further, pin_input
from .config import Study
from .containers import ImageKind, image_id, image_kind, mount_looks
from .due import explain_due, list_withdrawn
from .errors import FailureClass, WorkflowFailure
from .findings import Finding, Look, failures, take
from .listing import cached_units
from .locks import check_lock_file, exclusive
from .preflight import (
    check_identity,
    check_input_url,
    check_program,
    check_scratch,
    check_tools,
    check_work_dir,
    refuse,
    tell_identity,
    tell_scratch,
    tell_tools,
    tell_version,
)
from .records import read_json
from .runtimes import Runtime, check_runtime, choose_runtime
from .settle import drop_outdated_files, find_done, restore_records, set_aside_records
from .study import OpenStudy
from .targets import Target, all_targets, check_target


def open_study(study: Study, *, busy: bool = False, here: bool = True) -> OpenStudy:
    """Look at everything a study names, list its units, and settle their records.

    `busy` says that another run of this study may be under way: its records
    are then left where they are.  `here` says that jobs run on this machine,
    whose scratch folder is then looked at too.

    Raises `ConfigFailure` with every fault found.
    """
    findings, opened = look_around(study, here=here)
    refuse(failures(findings))
    with exclusive(study):
        if not busy:
            drop_outdated_files(opened)
            set_aside_records(opened)
            forget_cancels(study)
        restore_records(opened)
        opened = dataclasses.replace(opened, done=find_done(opened))
        return dataclasses.replace(
            opened, why=explain_due(opened), withdrawn=list_withdrawn(opened)
        )


def look_around(
    study: Study, *, here: bool, telling: bool = False
) -> tuple[list[Finding], OpenStudy | None]:
    """What was found of all that a study names, and the study where nothing stands in the way."""
    findings = take(looks_at_start(study, here=here), telling=telling)
    if failures(findings):
        return findings, None
    opened: list[OpenStudy] = []
    findings += take(
        [
            Look(
                "subjects",
                "subjects of a BIDS dataset",
                lambda: opened.append(find_units(study)),
                lambda: tell_units(opened[0]),
            )
        ],
        telling=telling,
    )
    if opened and here:
        findings += take([scratch_look(opened[0])], telling=telling)
    return findings, opened[0] if opened else None


def looks_at_start(study: Study, *, here: bool) -> Iterator[Look]:
    """What is looked at each time Snakemake starts; nothing of it takes long."""
    yield TOOLS
    yield Look("git identity", "user.name and user.email", check_identity, tell_identity)
    if here:
        yield Look(
            "common.work_dir", "a folder to write to", lambda: check_work_dir(study.work_dir)
        )
    if image_kind(study) is ImageKind.FILE:
        yield Look(
            "container.image",
            "a file that can be read",
            lambda: image_id(study),
            lambda: study.container.image,
        )
    yield Look(
        "container.runtime",
        "its program on PATH",
        lambda: check_runtime(study, here=here),
        lambda: tell_runtime(choose_runtime(study)),
    )
    yield from mount_looks(study, bare=runs_bare(study))
    urls = [("datalad.input_repo", study.input_url)]
    urls += [(f"datalad.inputs {f.path}", f.url) for f in study.further_inputs]
    for what, url in urls:
        key = what.partition(" ")[0]
        yield Look(
            what,
            "a dataset",
            lambda url=url, key=key: check_input_url(url, key=key),
            lambda url=url: url,
        )
    for target in all_targets(study):
        yield Look(
            name_of(target),
            "this study's store, or none yet; writable",
            lambda target=target: check_target(target, study),
            lambda target=target: tell_target(target, study),
        )
    if study.lock_file:
        yield Look(
            "datalad.lock_file",
            "a file that can be written to",
            lambda: check_lock_file(study.lock_file),
            lambda: str(study.lock_file),
        )


def looks_at_place(study: Study, runtime: Runtime) -> Iterator[Look]:
    """What a job needs of the place it runs in."""
    yield TOOLS
    bare = runtime is Runtime.NONE
    if not bare:
        yield Look(
            "container.runtime",
            "its program on PATH",
            lambda: check_program(runtime.program),
            lambda: tell_runtime(runtime),
        )
    yield from mount_looks(study, bare=bare)


TOOLS = Look("programs", "git 2.31 or newer, git-annex, datalad", check_tools, tell_tools)


def scratch_look(opened: OpenStudy) -> Look:
    """A look at the space on the scratch disk."""
    return Look(
        "common.work_dir",
        "room for the largest unit",
        lambda: check_scratch(opened.study, opened.units),
        lambda: tell_scratch(opened.study, opened.units),
    )


def runs_bare(study: Study) -> bool:
    """Whether the app runs without a container; no where none is found to run it."""
    try:
        return choose_runtime(study) is Runtime.NONE
    except WorkflowFailure:
        return False


def find_units(study: Study) -> OpenStudy:
    """The study's units at the input's pinned commit, from clones that are made where missing."""
    with exclusive(study):
        for target in all_targets(study):
            if check_target(target, study):
                clone_output(target, study)
            else:
                refuse_lost_store(study, target)
        commit, further = pin_input(study), pin_further(study)
        units = cached_units(study, commit, further)
        return OpenStudy(study, units, image_id(study), further)


def tell_units(opened: OpenStudy) -> str:
    """How many units there are, and where they were found."""
    units = opened.units
    left = f", {len(units.excluded)} left out" if units.excluded else ""
    return f"{len(units.units)} unit(s) at {units.commit[:10]}{left}"


def tell_runtime(runtime: Runtime) -> str:
    """The runtime and its version, as far as it is here."""
    if runtime is Runtime.NONE:
        return "none: the image runs without isolation"
    return tell_version(runtime.program)


def name_of(target: Target) -> str:
    """A dataset that jobs write to, as the config names it."""
    return f"datalad.output_repos {target.path}".rstrip()


def tell_target(target: Target, study: Study) -> str:
    """What a store holds."""
    there = check_target(target, study)
    return f"{target.store.url} {'holds this study' if there else 'will be made'}"


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
