"""Bring a folder up to date with what main holds: as plain files, or a zip file a subject.

What changed is copied, and compared with its checksum meanwhile; what went is
removed; then all of it is looked at.  A file has its name only when it is
complete, and a group's note says that it is done only when all its files are.
"""

from __future__ import annotations

import logging
import os
import stat
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from ..base.batching import in_batches
from ..base.errors import CommandError
from ..base.files import current_umask
from .archives import unpack_groups
from .checksums import checked, is_intact, sha256_key
from .contents import SHARED, Contents, ExportedFile, Group, group_of, read_groups
from .destination import NOTES, Destination, Note
from .reading import reading

log = logging.getLogger(__name__)

# So many groups are in memory together.
GROUPS_AT_ONCE = 20
# The earliest time that a zip file can name: it has the same bytes every time.
NO_TIME = (1980, 1, 1, 0, 0, 0)
# Content that is compressed already.
COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".png", ".jpg", ".jpeg", ".mgz", ".h5")


@dataclass
class Tally:
    """What an export did: files written (with their bytes) and removed, and what went wrong.

    `missing` is path -> why it is not there; `foreign` are files there that no
    export wrote, `lost_links` links that lead to no file of the dataset.
    """

    files: int = 0
    bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    missing: dict[str, str] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)
    lost_links: list[str] = field(default_factory=list)


def export_to_folder(
    contents: Contents, destination: Destination, *, zipped: bool, check_content: bool
) -> Tally:
    """Bring a folder up to date, look at all that should be there, and return what was done.

    What is missing there, or was changed there, is written again once.
    """
    tally, form = Tally(), "zip" if zipped else "folder"
    marks = {group: contents.mark(group, form) for group in contents.groups}
    for group in destination.list_groups():
        if group not in marks:
            remove_group(destination, group, tally)
    due = [g for g in sorted(marks) if destination.read_note(g).mark != marks[g]]
    bring_groups(contents, destination, due, marks, tally, zipped=zipped)
    found = check_groups(destination, marks, content=check_content)
    again = sorted({group for group, _ in found.values()} - set(due))
    if again:
        log.info("%s group(s) were changed at the destination; written again", len(again))
        bring_groups(contents, destination, again, marks, tally, zipped=zipped, distrust=True)
        found = check_groups(destination, marks, content=check_content)
    for path, (_, why) in found.items():
        tally.missing.setdefault(path, why)
    for group in marks:
        note = destination.read_note(group)
        tally.files += len(note.files)
        tally.bytes += sum(size for size, _ in note.files.values())
        tally.lost_links += note.lost_links
    tally.foreign = list_foreign(destination)
    return tally


def bring_groups(
    contents: Contents,
    destination: Destination,
    names: Iterable[str],
    marks: Mapping[str, str],
    tally: Tally,
    *,
    zipped: bool,
    distrust: bool = False,
) -> None:
    """Bring some groups up to date; with `distrust`, content that is there is read again."""
    for batch in in_batches(names, GROUPS_AT_ONCE):
        groups = read_groups(contents, batch)
        if contents.packed:
            unpack_groups(groups.items())
        for name in batch:
            if zipped and name != SHARED:
                bring_zip(destination, name, groups[name], marks[name], tally)
            else:
                bring_files(destination, name, groups[name], marks[name], tally, distrust=distrust)


def bring_files(
    destination: Destination, name: str, group: Group, mark: str, tally: Tally, *, distrust: bool
) -> None:
    """Copy the files of a group that are new or changed, and remove those that went."""
    before = destination.read_note(name)
    trusted = before.files if before.mark and not distrust else {}
    kept = {
        path: (size, file.key)
        for path, file in group.files.items()
        if (size := size_there(destination, file, trusted)) is not None
    }
    wanted = {p: (f.size or 0, f.key) for p, f in group.files.items()}
    if kept.keys() != wanted.keys() or before.files.keys() != wanted.keys():
        # Until it is done, with all that may be there.
        destination.write_note(name, Note("", {**before.files, **wanted}))
    # First: a file may take the place of a folder.
    remove_files(destination, before.files.keys() - group.files.keys(), tally)
    todo = [file for path, file in group.files.items() if path not in kept]
    written = dict(kept)
    with reading(todo) as content:
        for file in todo:
            target = destination.path / file.path
            try:
                make_room(destination.path, file.path)
                size = write_file(destination.temporary, content(file), file)
                destination.temporary.replace(target)
            except (CommandError, ValueError, FileNotFoundError) as e:
                tally.missing[file.path] = describe(e)
                if file.path in before.files:
                    # What lies there is an earlier version: it is the export's own still.
                    written[file.path] = before.files[file.path]
                continue
            written[file.path] = size, file.key
            tally.copied += 1
            tally.copied_bytes += size
    complete = not tally.missing.keys() & wanted.keys()
    lost_links = tuple(sorted(group.lost_links))
    destination.write_note(name, Note(mark if complete else "", written, lost_links))


def size_there(
    destination: Destination, file: ExportedFile, trusted: Mapping[str, tuple[int, str]]
) -> int | None:
    """The size of a file that lies at the destination as it should be; None where it does not."""
    path = destination.path / file.path
    try:
        status = path.lstat()
    except OSError:
        return None
    size = status.st_size
    if not stat.S_ISREG(status.st_mode) or file.size not in (None, size):
        return None
    same = trusted.get(file.path) == (size, file.key) or is_intact(path, file.key, size)
    return size if same else None


def bring_zip(destination: Destination, name: str, group: Group, mark: str, tally: Tally) -> None:
    """Write the files of a subject to a zip file anew."""
    before = destination.read_note(name)
    target = f"{name}.zip"
    destination.write_note(name, Note("", {**before.files, target: (0, "")}))
    lost = write_zip(destination.temporary, group.files)
    tally.missing |= lost
    if lost:
        destination.temporary.unlink()
        destination.write_note(name, Note("", before.files))
        return
    make_room(destination.path, target)
    key = sha256_key(destination.temporary)
    size = destination.temporary.stat().st_size
    destination.temporary.replace(destination.path / target)
    tally.copied += 1
    tally.copied_bytes += size
    remove_files(destination, before.files.keys() - {target}, tally)
    lost_links = tuple(sorted(group.lost_links))
    destination.write_note(name, Note(mark, {target: (size, key)}, lost_links))


def write_zip(path: Path, files: Mapping[str, ExportedFile]) -> dict[str, str]:
    """Write files to a zip file, always the same bytes; returns path -> why it is not in it."""
    lost: dict[str, str] = {}
    with zipfile.ZipFile(path, "w") as zipped, reading(files.values()) as content:
        for name, file in sorted(files.items()):
            info = zipfile.ZipInfo(name, NO_TIME)
            info.create_system = 3  # Unix, whatever this is
            info.external_attr = (stat.S_IFREG | (0o755 if file.executable else 0o644)) << 16
            packed = name.lower().endswith(COMPRESSED)
            info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            info.file_size = file.size or 0
            try:
                chunks, size = content(file)
                # Its size decides whether it takes 32 or 64 bits.
                info.file_size = size
                with zipped.open(info, "w") as target:
                    for chunk in checked(chunks, file.key, size):
                        target.write(chunk)
            except (CommandError, ValueError, FileNotFoundError) as e:
                lost[name] = describe(e)
    return lost


def write_file(path: Path, content: tuple[Iterator[bytes], int], file: ExportedFile) -> int:
    """Write the content of a file; returns its size.  Raises `ValueError` where it is damaged."""
    chunks, size = content
    with path.open("wb") as f:
        for chunk in checked(chunks, file.key, size):
            f.write(chunk)
    path.chmod((0o777 if file.executable else 0o666) & ~current_umask())
    return size


def make_room(root: Path, path: str) -> None:
    """Make the folder of a file, and remove what lies in the way of both."""
    folder = root
    for name in path.split("/")[:-1]:
        folder /= name
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            folder.unlink()
        folder.mkdir(exist_ok=True)
    target = root / path
    if target.is_dir() and not target.is_symlink():
        raise ValueError("a folder that no export made is in its place")


def describe(error: Exception) -> str:
    """Why a file could not be written, in a few words."""
    return error.stderr.strip() if isinstance(error, CommandError) else str(error)


def remove_group(destination: Destination, name: str, tally: Tally) -> None:
    """Remove all that an export wrote of a group."""
    remove_files(destination, destination.read_note(name).files, tally)
    destination.note(name).unlink()


def remove_files(destination: Destination, paths: Collection[str], tally: Tally) -> None:
    """Remove files that an export wrote, and folders that nothing is left in."""
    for path in sorted(paths):
        target = destination.path / path
        if target.is_symlink() or target.is_file():
            target.unlink()
            tally.removed += 1
        for folder in target.parents:
            if folder == destination.path:
                break
            try:
                folder.rmdir()
            except OSError:
                break


def check_groups(
    destination: Destination, names: Iterable[str], *, content: bool
) -> dict[str, tuple[str, str]]:
    """Path -> its group, and what is wrong with it: of all files that should be there."""
    found: dict[str, tuple[str, str]] = {}
    for name in names:
        for path, (size, key) in destination.read_note(name).files.items():
            target = destination.path / path
            try:
                status = os.lstat(target)
            except OSError as e:
                found[path] = name, f"it cannot be read there: {e.strerror}"
                continue
            if not stat.S_ISREG(status.st_mode):
                found[path] = name, "it is no file there"
            elif status.st_size != size:
                found[path] = name, f"it has {status.st_size} bytes there instead of {size}"
            elif content and not is_intact(target, key, size):
                found[path] = name, "its content there is not what its checksum says"
    return found


def list_foreign(destination: Destination) -> list[str]:
    """Files at the destination that no export wrote."""

    @lru_cache(maxsize=64)
    def known(group: str) -> Mapping[str, tuple[int, str]]:
        return destination.read_note(group).files

    found = []
    for folder, folders, files in os.walk(destination.path):
        relative = os.path.relpath(folder, destination.path)
        if relative == ".":
            folders[:] = [name for name in folders if name != NOTES]
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*files, *links]:
            path = os.path.normpath(os.path.join(relative, name))
            # What a link to a subject's folder stands for is of no subject.
            if path not in known(group_of(path)) and path not in known(SHARED):
                found.append(path)
    return sorted(found)
