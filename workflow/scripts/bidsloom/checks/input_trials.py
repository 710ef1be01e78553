"""Small trials of how jobs get their inputs: one file is fetched, in a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call, call_annex, call_git_records, read_objects
from ..config import Study
from ..config.study import join
from ..datasets.annex import SYMLINK, is_annexed, key_size, link_key
from ..datasets.stores import last_line
from ..datasets.subdatasets import install
from ..datasets.thin_clones import CLONE, lay_out_steps, remotes_of
from ..datasets.web_remotes import look_again
from ..units.subject_datasets import Part, find_parts, input_commit
from ..units.unit import Unit
from .findings import Caution
from .trial_folder import trial_folder


def try_input(study: Study, commit: str, unit: Unit) -> str:
    """Fetch a unit's smallest annexed file as its job will; return what was fetched.

    Raises `WorkflowFailure` where it cannot be fetched.
    """
    if parts := find_parts(input_commit(study, commit), unit):
        return try_part(study, parts[0])
    own_folder, annexed = join(study.input_folder, unit.folder), is_annexed(study.input)
    smallest = smallest_file(study.input, commit, own_folder) if annexed else None
    if smallest is None:
        return "git has all of its content; there is nothing to fetch"
    path, key = smallest
    with trial_folder(study) as folder:
        raw = folder / "input"
        own = ["--origin", "study", *remotes_of(study.input)]
        try:
            call([*CLONE, *own, str(study.input), str(raw)], cwd=folder)
            for step in lay_out_steps(
                "structure", study.input, raw, commit, paths=[path], keys=[key]
            ):
                call(step.argv, cwd=step.cwd)
            call_annex(["get", "-q", "--", path], cwd=raw)
        except CommandError as e:
            unread = look_again(raw) if raw.exists() else {}
            said = [last_line(e.stderr), *unread.values()]
            raise WorkflowFailure(
                f"{path} cannot be fetched from {study.input_url}: {'; '.join(said)}",
                hint=access_hint(study.input_url, "\n".join([e.stderr, *said]))
                or "check that the input, and the remotes that have its content, can be reached "
                "from here.",
                failure_class=FailureClass.INPUT_UNAVAILABLE,
            ) from e
    return f"fetched {path} from {study.input_url}"


def try_part(study: Study, part: Part) -> str:
    """Install a unit's dataset as its job will, and fetch its smallest annexed file.

    Raises `Caution` where that fails: the other units are processed.
    """
    commit = part.subdataset.commit
    with trial_folder(study) as folder:
        place, path = folder / "input", "nothing; git has all of its content"
        try:
            url = install(part.subdataset, cwd=folder, path=place.name)
            annexed = is_annexed(place)
            if annexed and (smallest := smallest_file(place, commit, part.inside or ".")):
                path = smallest[0]
                steps = lay_out_steps("structure", place, place, commit, paths=[path], keys=None)
                for step in steps:
                    call(step.argv, cwd=step.cwd)
                call_annex(["get", "-q", "--", path], cwd=place)
        except (CommandError, WorkflowFailure) as e:
            said = last_line(e.stderr) if isinstance(e, CommandError) else e.message
            raise Caution(
                f"{part.path}: a file of it cannot be fetched: {said}",
                hint=getattr(e, "hint", "")
                or "check that the dataset, and the remotes that have its content, can be reached "
                "from here; the other units are processed.",
            ) from e
    return f"fetched {path} of {part.path} from {url}"


def smallest_file(repository: Path, commit: str, folder: str) -> tuple[str, str] | None:
    """Path and key of a folder's smallest annexed file; only links count, not unlocked files."""
    links = {}
    for record in call_git_records(["ls-tree", "-r", "-z", commit, "--", folder], cwd=repository):
        head, _, path = record.partition("\t")
        mode, _, object_id = head.split()
        if mode == SYMLINK:
            links[path] = object_id
    targets = read_objects(links.values(), repository=repository)
    keys = [
        (path, key)
        for path, target in zip(links, targets, strict=True)
        if (key := link_key(os.fsdecode(target)))
    ]
    return min(keys, key=lambda found: key_size(found[1]), default=None)
