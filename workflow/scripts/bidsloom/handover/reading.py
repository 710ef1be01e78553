"""Reads the content of exported files, from wherever the stores keep it."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_annex, read_objects
from ..datasets.output_datasets import OutputDataset
from ..datasets.stored_files import find_contents
from .checksums import CHUNK, read_chunks
from .contents import ExportedFile


class Reader:
    """Reads the content of files, of which all are at hand."""

    def __init__(
        self, contents: Mapping[tuple[str, str], Path], blobs: Mapping[str, bytes]
    ) -> None:
        self.contents, self.blobs = contents, blobs

    def locate(self, file: ExportedFile) -> Path | None:
        """Where the content of an annexed file is, or of the archive that it is in."""
        return self.contents.get((file.output.path, file.packed_in or file.key))

    def __call__(self, file: ExportedFile) -> tuple[Iterator[bytes], int]:
        """The content of a file, and its size.  Raises `FileNotFoundError` where it is nowhere."""
        if file.blob:
            content = self.blobs[file.blob]
            return iter([content]), len(content)
        path = self.locate(file)
        if path is None:
            raise FileNotFoundError(f"its content is not in {file.output.store.url}")
        if file.member:
            return read_member(path, file.member), file.size or 0
        return read_chunks(path), path.stat().st_size if file.size is None else file.size


def read_member(path: Path, name: str) -> Iterator[bytes]:
    """A file in an archive, a part at a time.  Raises `ValueError` where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as f:
            while chunk := f.read(CHUNK):
                yield chunk
    except zipfile.BadZipFile as e:
        raise ValueError(str(e)) from e


@contextlib.contextmanager
def reading(files: Iterable[ExportedFile]) -> Iterator[Reader]:
    """What reads the content of some files; where it is elsewhere it is fetched first."""
    files = list(files)
    contents: dict[tuple[str, str], Path] = {}
    blobs: dict[str, bytes] = {}
    fetched: list[tuple[OutputDataset, list[str]]] = []
    for output in {file.output.path: file.output for file in files}.values():
        own = [file for file in files if file.output.path == output.path]
        keys = {file.packed_in or file.key for file in own if not file.blob}
        if keys and not output.store.holds_objects:
            absent = sorted(keys - find_contents(output, keys).keys())
            fetch_keys(output, absent)
            fetched.append((output, absent))
        found = find_contents(output, keys)
        contents |= {(output.path, key): path for key, path in found.items()}
        names = sorted({file.blob for file in own if file.blob})
        blobs |= zip(names, read_objects(names, repository=output.dataset), strict=True)
    try:
        yield Reader(contents, blobs)
    finally:
        for output, absent in fetched:
            drop_keys(output, absent)


def fetch_keys(output: OutputDataset, keys: Iterable[str]) -> None:
    """Fetch content into the study's clone, as far as the store has it."""
    asked = "".join(f"{key}\n" for key in keys)
    with contextlib.suppress(CommandError):
        call_annex(["get", "-q", "--batch-keys"], cwd=output.dataset, stdin=asked)


def drop_keys(output: OutputDataset, keys: Iterable[str]) -> None:
    """Remove fetched content from the study's clone again."""
    asked = "".join(f"{key}\n" for key in keys)
    with contextlib.suppress(CommandError):
        call_annex(["drop", "-q", "--batch-keys"], cwd=output.dataset, stdin=asked)
