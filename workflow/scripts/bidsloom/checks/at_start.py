"""Check everything that a study names, before anything is submitted.

These checks run in Snakemake's main process, also for a dry run, and write
nothing to any store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial

from ..base.errors import WorkflowFailure
from ..config import Study
from ..config.study import SUBJECT
from ..containers.image import ImageKind, identify_image, image_kind
from ..containers.runtimes import Runtime, check_runtime, choose_runtime
from ..datasets.content_store import check_credentials
from ..datasets.output_datasets import (
    OutputDataset,
    check_output_store,
    list_outputs,
    main_output,
)
from ..units.unit import Units
from .findings import Check
from .lock_file import check_lock_file
from .machine import (
    check_account,
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
    """The checks each time Snakemake starts; all are quick.  `here`: jobs run on this machine."""
    yield TOOLS
    yield Check("git identity", "user.name and user.email", check_identity, tell_identity)
    yield account_check(choose_known_runtime(study))
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
    for f in study.further_inputs:
        if f.producer:
            continue  # a study that runs before this one may still have to make it
        # Of a pattern, the folder that the datasets are in: some of them may be missing.
        url = f.url.partition(SUBJECT)[0].rpartition("/")[0] if f.is_pattern else f.url
        urls.append((f"datalad.inputs {f.path}", url))
    for what, url in urls:
        key = what.partition(" ")[0]
        yield Check(
            what,
            "a dataset",
            partial(check_input_url, url, key=key),
            partial(str, url),
        )
    for output in list_outputs(study):
        yield Check(
            name_of(output),
            "this study's store, or none yet; writable",
            partial(check_output_store, output, study),
            partial(tell_output_store, output, study),
        )
    yield from content_checks(study)
    if study.lock_file:
        yield Check(
            "datalad.lock_file",
            "a file that can be written to",
            partial(check_lock_file, study.lock_file),
            lambda: str(study.lock_file),
        )


def checks_on_machine(study: Study, runtime: Runtime) -> Iterator[Check]:
    """The checks of the machine that a job runs on."""
    yield TOOLS
    yield account_check(runtime)
    bare = runtime is Runtime.NONE
    if not bare:
        yield Check(
            "container.runtime",
            "its program on PATH",
            lambda: check_program(runtime.program),
            lambda: tell_runtime(runtime),
        )
    yield from mount_checks(study, bare=bare)
    yield from content_checks(study)


def content_checks(study: Study) -> Iterator[Check]:
    """The check of what a content store needs besides git-annex."""
    store = main_output(study).store
    if store.content:
        yield Check(
            "datalad.output_content",
            "its program and credentials",
            lambda: check_credentials(store),
            lambda: dict(store.content)["type"],
        )


TOOLS = Check("programs", "git 2.31 or newer, git-annex, datalad", check_tools, tell_tools)


def scratch_check(study: Study, units: Units) -> Check:
    """The check of the space on the scratch disk."""
    return Check(
        "common.work_dir",
        "room for the largest unit",
        lambda: check_scratch(study, units),
        lambda: tell_scratch(study, units),
    )


def account_check(runtime: Runtime | None) -> Check:
    """The check of the account that jobs run under; None where there is no runtime."""
    return Check(
        "account",
        "an ordinary user, not root",
        lambda: check_account(runtime),
        lambda: f"user {os.geteuid()}",
    )


def choose_known_runtime(study: Study) -> Runtime | None:
    """The runtime of a study; None where none is found."""
    try:
        return choose_runtime(study)
    except WorkflowFailure:
        return None


def runs_bare(study: Study) -> bool:
    """True where the app runs without a container; False also where no runtime is found."""
    return choose_known_runtime(study) is Runtime.NONE


def tell_runtime(runtime: Runtime) -> str:
    """The runtime and its version, as far as it is installed here."""
    if runtime is Runtime.NONE:
        return "none: the image runs without isolation"
    return tell_version(runtime.program)


def name_of(output: OutputDataset) -> str:
    """A dataset that jobs write to, as the findings name it."""
    return f"datalad.output_repos {output.path}".rstrip()


def tell_output_store(output: OutputDataset, study: Study) -> str:
    """What a store holds.  Raises `WorkflowFailure` as `check_output_store` does."""
    there = check_output_store(output, study)
    return f"{output.store.url} {'holds this study' if there else 'will be made'}"
