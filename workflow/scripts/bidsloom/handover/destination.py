"""The folder that is exported to, with notes of what lies there.

`.bidsloom-export/` in that folder says which study it is of, and for each
group which files the export wrote, with their sizes and checksums.  So the
folder itself knows what is there: an export needs no other memory, and removes
only what an export wrote.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..base.errors import FailureClass, WorkflowFailure
from ..base.files import read_json, write_json

NOTES = ".bidsloom-export"


@dataclass(frozen=True)
class Note:
    """What the export wrote of a group: path -> size and key.

    An empty `mark` says that it was not finished; `lost_links` are links that
    lead to no file.
    """

    mark: str = ""
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    lost_links: tuple[str, ...] = ()


@dataclass(frozen=True)
class Destination:
    """A folder that is exported to."""

    path: Path

    @property
    def notes(self) -> Path:
        """The folder of notes."""
        return self.path / NOTES

    @property
    def owner(self) -> Path:
        """Says whose export it is, and how the last one ended."""
        return self.notes / "export.json"

    @property
    def temporary(self) -> Path:
        """A file is written here first, so that none is ever there in part."""
        return self.notes / "writing"

    def note(self, group: str) -> Path:
        """The note of a group."""
        return self.notes / "files" / f"{group}.json"

    def list_groups(self) -> list[str]:
        """The groups that there are notes of."""
        return sorted(path.stem for path in self.notes.glob("files/*.json"))

    def read_note(self, group: str) -> Note:
        """What the export wrote of a group."""
        value = read_json(self.note(group))
        if not isinstance(value, Mapping):
            return Note()
        files = {path: (size, key) for path, (size, key) in value["files"].items()}
        return Note(value["mark"], files, tuple(value["lost_links"]))

    def write_note(self, group: str, note: Note) -> None:
        """Note what the export wrote, or is about to write, of a group."""
        write_json(self.note(group), asdict(note))


@contextlib.contextmanager
def opened(path: Path, *, study: str, dataset: str) -> Iterator[Destination]:
    """The destination, made where it is missing, while nobody else exports to it.

    Raises `WorkflowFailure` where the folder holds something else, or cannot
    be written to.
    """
    destination = Destination(path)
    refuse_foreign(destination, dataset)
    try:
        destination.note("any").parent.mkdir(parents=True, exist_ok=True)
        if not destination.owner.exists():
            write_json(destination.owner, {"study": study, "dataset": dataset, "complete": False})
        with (destination.notes / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkflowFailure(
                    f"Another export to {path} is under way.", hint="wait until it has ended."
                ) from None
            yield destination
    except OSError as e:
        raise WorkflowFailure(
            f"The results cannot be exported to {path}: {e.filename or path}: {e.strerror}.",
            hint="see that the folder is writable and has space, then start the export again; "
            "it goes on where it ended.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def refuse_foreign(destination: Destination, dataset: str) -> None:
    """Refuse a folder that holds something else than an export of this dataset."""
    path = destination.path
    if os.path.lexists(path) and not path.is_dir():
        raise WorkflowFailure(f"export.to is {path}, which is not a folder.", hint="name a folder.")
    owner = read_json(destination.owner)
    if isinstance(owner, Mapping):
        if owner.get("dataset") != dataset:
            raise WorkflowFailure(
                f"{path} (export.to) holds an export of another study, {owner.get('study')}.",
                hint="name another folder; nothing was written there.",
            )
    elif path.exists() and any(path.iterdir()):
        if [entry.name for entry in path.iterdir()] == [NOTES]:
            return  # a killed export has just begun
        raise WorkflowFailure(
            f"{path} (export.to) is not empty, and holds no export of this study.",
            hint="name a new or an empty folder; nothing was written there.",
        )
