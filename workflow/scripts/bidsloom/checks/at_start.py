"""Check at everything a study names before anything is submitted.

Runs in Snakemake's main process, for a dry run too, and writes nothing to any
store.  What it finds is kept under `results/<study>/` (a clone of the input
without a work tree, the list of units), so that a second look costs no second
index and a job's start costs none at all.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..base.errors import WorkflowFailure
from ..config import Study
from ..containers.image import ImageKind, image_kind
from ..containers.runtimes import Runtime, check_runtime, choose_runtime
from ..datasets.output_datasets import OutputDataset, check_output_store, list_outputs
from ..units.unit import Units
from .findings import Check
from .lock_file import check_lock_file
from .machine import (
    check_identity,
    check_input_url,
    check_program,
    check_scratch,
    check_tools,
    check_work_dir,
    tell_identity,
    tell_scratch,
    tell_tools,
    tell_version,
)
from .mounts import mount_checks


def checks_at_start(study: Study, *, here: bool) -> Iterator[Check]:
    """What is looked at each time Snakemake starts; nothing of it takes long."""
    yield TOOLS
    yield Check("git identity", "user.name and user.email", check_identity, tell_identity)
    if here:
        yield Check(
            "common.work_dir", "a folder to write to", lambda: check_work_dir(study.work_dir)
        )
    if image_kind(study) is ImageKind.FILE:
        yield Check(
            "container.image",
            "a file that can be read",
            lambda: identify_image(study),
            lambda: study.container.image,
        )
    yield Check(
        "container.runtime",
        "its program on PATH",
        lambda: check_runtime(study, here=here),
        lambda: tell_runtime(choose_runtime(study)),
    )
    yield from mount_checks(study, bare=runs_bare(study))
    urls = [("datalad.input_repo", study.input_url)]
    urls += [(f"datalad.inputs {f.path}", f.url) for f in study.further_inputs]
    for what, url in urls:
        key = what.partition(" ")[0]
        yield Check(
            what,
            "a dataset",
            lambda url=url, key=key: check_input_url(url, key=key),
            lambda url=url: url,
        )
    for target in list_outputs(study):
        yield Check(
            name_of(target),
            "this study's store, or none yet; writable",
            lambda target=target: check_output_store(target, study),
            lambda target=target: tell_target(target, study),
        )
    if study.lock_file:
        yield Check(
            "datalad.lock_file",
            "a file that can be written to",
            lambda: check_lock_file(study.lock_file),
            lambda: str(study.lock_file),
        )


def checks_on_machine(study: Study, runtime: Runtime) -> Iterator[Check]:
    """What a job needs of the place it runs in."""
    yield TOOLS
    bare = runtime is Runtime.NONE
    if not bare:
        yield Check(
            "container.runtime",
            "its program on PATH",
            lambda: check_program(runtime.program),
            lambda: tell_runtime(runtime),
        )
    yield from mount_checks(study, bare=bare)


TOOLS = Check("programs", "git 2.31 or newer, git-annex, datalad", check_tools, tell_tools)


def scratch_check(study: Study, units: Units) -> Check:
    """A look at the space on the scratch disk."""
    return Check(
        "common.work_dir",
        "room for the largest unit",
        lambda: check_scratch(study, units),
        lambda: tell_scratch(study, units),
    )


def runs_bare(study: Study) -> bool:
    """Whether the app runs without a container; no where none is found to run it."""
    try:
        return choose_runtime(study) is Runtime.NONE
    except WorkflowFailure:
        return False


def tell_runtime(runtime: Runtime) -> str:
    """The runtime and its version, as far as it is here."""
    if runtime is Runtime.NONE:
        return "none: the image runs without isolation"
    return tell_version(runtime.program)


def name_of(target: OutputDataset) -> str:
    """A dataset that jobs write to, as the config names it."""
    return f"datalad.output_repos {target.path}".rstrip()


def tell_target(target: OutputDataset, study: Study) -> str:
    """What a store holds."""
    there = check_output_store(target, study)
    return f"{target.store.url} {'holds this study' if there else 'will be made'}"
