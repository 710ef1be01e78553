"""Get the unit's input files, and name those that cannot be had."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import Step, call, call_annex, call_git_records
from ..base.text import a_few, printable
from ..datasets.web_remotes import list_unread, look_again
from ..units.subject_datasets import Part
from .failures import is_full, no_space, was_ended
from .unit_job import Job

log = logging.getLogger(__name__)

# Files at the root, or above a session, that BIDS gives a meaning for the unit.
INHERITED = re.compile(
    r"(.*\.(json|tsv|bval|bvec)|(README|CHANGES|LICENSE|CITATION)[^/]*|\.bidsignore)$"
)

# What git-annex says besides the reason.
BESIDE = re.compile(r"failed to download content|\(Note that these git remotes .*?\)")


def get_inputs(job: Job, step: Step) -> None:
    """Fetch content; what the app does not need may be missing.

    Raises `WorkflowFailure` that names each file without a copy, and where it
    was looked for.
    """
    try:
        call(step.argv, cwd=step.cwd)
        return
    except CommandError as e:
        if was_ended(e):
            raise
        if is_full(job, e.stderr):
            raise no_space(job) from e
        if step.argv[:3] != ["git", "annex", "get"]:
            raise
        failed = e
    paths = step.argv[step.argv.index("--") + 1 :]
    before, unread = list_unread(step.cwd), look_again(step.cwd)
    if len(unread) < len(before):
        with contextlib.suppress(CommandError):
            call(step.argv, cwd=step.cwd)
            return
    missing = list_missing(step.cwd, paths)
    part = part_of(job, step)
    folder, named = (
        (part.inside, []) if part else (job.in_input(job.unit.folder), job.needed_beside)
    )
    needed = [path for path in missing if is_needed(path, folder, named)]
    if beside := sorted(set(missing) - set(needed)):
        shown = a_few([printable(path) for path in beside], 3)
        log.warning("left out, since no copy can be had and the app does not need it: %s", shown)
    if needed or not missing:
        source = job.installed[part.path] if part else source_url(job, step)
        names = a_few([printable(path) for path in needed], 3) or "its files"
        raise WorkflowFailure(
            f"{job.unit.name} could not get {names} of {source}: "
            f"{'; '.join([describe_places(step.cwd, needed[:1]), *unread.values()])}",
            hint=access_hint(source, "\n".join([failed.stderr, *unread.values()]))
            or f"see what git-annex knows, in a clone of {source}: git annex whereis "
            f"'{printable(needed[0]) if needed else '.'}'",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        ) from failed


def list_missing(repository: Path, paths: Sequence[str]) -> list[str]:
    """The annexed files below some paths whose content is not here."""
    command = ["annex", "find", "--print0", "--not", "--in=here", "--", *paths]
    return call_git_records(command, cwd=repository)


def is_needed(path: str, folder: str, beside: Sequence[str] = ()) -> bool:
    """True for the unit's own files, for those it inherits by BIDS, and for those `beside`.

    Without a folder all files are the unit's own.
    """
    own = (folder, *beside)
    return (
        not folder
        or any(path == one or path.startswith(f"{one}/") for one in own)
        or bool(INHERITED.match(path))
    )


def describe_places(repository: Path, paths: Sequence[str]) -> str:
    """Where git-annex looked for a file, and what it got to hear there."""
    try:
        told = call_annex(["get", "--json", "--json-error-messages", "--", *paths], cwd=repository)
    except CommandError as e:
        told = e.stdout
    said: list[str] = []
    for line in told.splitlines():
        try:
            result = json.loads(line)
        except ValueError:
            continue
        said += [*result.get("error-messages", []), result.get("note") or ""]
    words = (BESIDE.sub("", " ".join(message.split())).strip() for message in said)
    return "; ".join(dict.fromkeys(filter(None, words))) or "no repository is known to have a copy"


def part_of(job: Job, step: Step) -> Part | None:
    """The unit's dataset that a step works in; None for an input dataset itself."""
    root = job.study.input_path
    places = {f"/{root}/{part.path}": part for part in job.parts}
    return next((p for end, p in places.items() if step.cwd.as_posix().endswith(end)), None)


def source_url(job: Job, step: Step) -> str:
    """Where the input dataset that a step works in comes from."""
    return next(s.url for s in job.sources if step.cwd.as_posix().endswith(f"/{s.path}"))
