"""The files of a unit that were packed into an archive (`container.archive`), as plain files."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from ..datasets.branches import Entry
from .contents import EXECUTABLE, SHARED, ExportedFile, Group
from .reading import reading

PLAIN = "100644"


def unpack(group: Group) -> None:
    """Replace the archives of a group by what is in them.

    One whose content is nowhere, or is no archive, stays; then it is missed by its own name.
    """
    packed = [f for f in group.files.values() if f.path.endswith(".zip") and not f.blob]
    with reading(packed) as content:
        for file in packed:
            if path := content.locate(file):
                try:
                    members = list(list_members(path, file))
                except (OSError, zipfile.BadZipFile):
                    continue
                del group.files[file.path]
                group.files.update({m.path: m for m in members if m.member})
                group.lost_links += [m.path for m in members if not m.member]


def list_members(path: Path, archive: ExportedFile) -> Iterator[ExportedFile]:
    """The files in an archive; a link is what it leads to, without a member if that is nothing."""
    folder = archive.path.removesuffix(".zip")
    with zipfile.ZipFile(path) as opened:
        infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
        links = {
            name: os.fsdecode(opened.read(info))
            for name, info in infos.items()
            if stat.S_ISLNK(info.external_attr >> 16)
        }
    for name in infos:
        found = follow(name, links)
        if found in infos and found not in links:
            yield member_of(archive, f"{folder}/{name}", infos[found])
            continue
        below = [other for other in infos if other.startswith(f"{found}/") and other not in links]
        for other in below:
            path_there = f"{folder}/{name}{other.removeprefix(found)}"
            yield member_of(archive, path_there, infos[other])
        if not below:
            yield replace(archive, path=f"{folder}/{name}")


def follow(name: str, links: dict[str, str]) -> str:
    """What a name in an archive leads to at last; a link that leads round stays one."""
    for _ in range(8):
        if name not in links:
            break
        name = os.path.normpath(f"{name}/../{links[name]}")
    return name


def member_of(archive: ExportedFile, path: str, info: zipfile.ZipInfo) -> ExportedFile:
    """A file of an archive; the archive says its checksum."""
    mode = EXECUTABLE if info.external_attr >> 16 & 0o100 else PLAIN
    return replace(
        archive,
        path=path,
        key=f"CRC32-s{info.file_size}--{info.CRC:08x}",
        size=info.file_size,
        entry=Entry(mode, archive.entry.blob),
        packed_in=archive.key,
        member=info.filename,
    )


def unpack_groups(groups: Iterable[tuple[str, Group]]) -> None:
    """Replace the archives of subjects by what is in them."""
    for name, group in groups:
        if name != SHARED:
            unpack(group)
