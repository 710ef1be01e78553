"""Trees of git, read and written without an index: the cost does not grow with their files."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from ..base.batching import in_batches
from ..base.errors import WorkflowFailure
from ..base.runners import call_git, read_objects
from .annex import FOLDER
from .branches import Entry
from .packs import take_pack

T = TypeVar("T")
STORED_BYTES = 200
# So many are in memory together.
TREES_PER_READ = 2000
# Of a tree, in a pack.
TREE_TYPE = 2


def root_tree(repository: Path, commit: str) -> str:
    """The tree of a commit.  Raises `CommandError` where that is missing."""
    return call_git(["rev-parse", f"{commit}^{{tree}}"], cwd=repository)


def walk_tree(
    repository: Path, tree: str, *, opens: Callable[[str], bool] = lambda path: True
) -> Iterator[tuple[str, Entry]]:
    """Path and entry of what a tree holds, level by level.

    A folder whose path `opens` refuses is one entry; the others are what is in them.
    """
    level = [("", tree)]
    while level:
        below: list[tuple[str, str]] = []
        for batch in in_batches(level, TREES_PER_READ):
            trees = read_trees(repository, (name for _, name in batch))
            for folder, name in batch:
                for entry_name, entry in trees[name].items():
                    path = f"{folder}/{entry_name}" if folder else entry_name
                    if entry.mode == FOLDER and opens(path):
                        below.append((path, entry.blob))
                    else:
                        yield path, entry
        level = below


def read_trees(repository: Path, names: Iterable[str]) -> dict[str, dict[str, Entry]]:
    """Tree -> what it holds, name by name.  Raises `CommandError` where one is missing."""
    names = list(dict.fromkeys(names))
    contents = read_objects(names, repository=repository)
    return {name: parse_tree(content, name) for name, content in zip(names, contents, strict=True)}


def parse_tree(content: bytes, name: str) -> dict[str, Entry]:
    """What a tree holds; its name shows how long the names of its objects are."""
    found = entry_pattern(len(name) // 2).findall(content)
    return {
        path.decode(errors="surrogateescape"): Entry(mode.decode().zfill(6), blob.hex())
        for mode, path, blob in found
    }


@cache
def entry_pattern(length: int) -> re.Pattern[bytes]:
    """The expression of an entry in a tree whose objects have names of so many bytes."""
    return re.compile(rb"(\d+) ([^\0]+)\0(.{%d})" % length, re.DOTALL)


def read_entries(repository: Path, tree: str, paths: Iterable[str]) -> dict[str, Entry]:
    """Path -> entry, for those of some paths that a tree has."""
    by_folder: dict[str, list[str]] = {"": []}
    for path in paths:
        folder, _, name = path.rpartition("/")
        by_folder.setdefault(folder, []).append(name)
    add_parents(by_folder, list)
    held = read_folders(repository, tree, by_depth(by_folder))
    return {
        f"{folder}/{name}" if folder else name: held[folder][name]
        for folder, names in by_folder.items()
        for name in names
        if name in held.get(folder, {})
    }


def write_tree(repository: Path, tree: str, changes: Mapping[str, Entry | None]) -> str:
    """A tree with some files (or complete folders) written, and those of None removed.

    A folder that nothing is left of vanishes.

    Raises `WorkflowFailure` where a folder is to be made in the place of a file.
    """
    changed: dict[str, dict[str, Entry | None]] = {"": {}}
    for path, entry in changes.items():
        folder, _, name = path.rpartition("/")
        changed.setdefault(folder, {})[name] = entry
    add_parents(changed, dict)
    levels = by_depth(changed)
    before = read_folders(repository, tree, levels)
    made: dict[str, bytes] = {}
    for folders in reversed(levels[1:]):
        for folder in folders:
            parent, _, name = folder.rpartition("/")
            if held := apply(before.get(folder, {}), changed[folder]):
                refuse_file(before.get(parent, {}), changed[parent], name, folder)
                changed[parent][name] = Entry(FOLDER, add_tree(made, held, like=tree))
            elif folder in before:
                changed[parent].setdefault(name, None)
    root = add_tree(made, apply(before[""], changed[""]), like=tree)
    write_trees(repository, made)
    return root


def write_blob(repository: Path, text: str) -> str:
    """The name of a blob, which is written to the repository."""
    return call_git(["hash-object", "-w", "--stdin"], cwd=repository, stdin=os.fsencode(text))


def add_parents(folders: dict[str, T], empty: Callable[[], T]) -> None:
    """Add the folders above some folders."""
    for path in list(folders):
        parent = path
        while (parent := parent.rpartition("/")[0]) and parent not in folders:
            folders[parent] = empty()


def by_depth(folders: Iterable[str]) -> list[list[str]]:
    """Folders in the order of their depth; the root is the first."""
    levels: dict[int, list[str]] = {}
    for folder in folders:
        levels.setdefault(folder.count("/") + 1 if folder else 0, []).append(folder)
    return [levels[depth] for depth in sorted(levels)]


def read_folders(
    repository: Path, tree: str, levels: Iterable[Iterable[str]]
) -> dict[str, dict[str, Entry]]:
    """Folder -> what it holds, of those folders that a tree has."""
    found: dict[str, dict[str, Entry]] = {}
    for folders in levels:
        there = {}
        for folder in folders:
            parent, _, name = folder.rpartition("/")
            entry = found.get(parent, {}).get(name) if folder else Entry(FOLDER, tree)
            if entry and entry.mode == FOLDER:
                there[folder] = entry.blob
        contents = read_trees(repository, there.values())
        found |= {folder: contents[name] for folder, name in there.items()}
    return found


def apply(before: Mapping[str, Entry], changes: Mapping[str, Entry | None]) -> dict[str, Entry]:
    """What a folder holds after some changes."""
    after = {**before, **changes}
    return {name: entry for name, entry in after.items() if entry and int(entry.mode)}


def refuse_file(
    before: Mapping[str, Entry],
    changes: Mapping[str, Entry | None],
    name: str,
    path: str,
) -> None:
    """Raise where a folder would replace a file that nobody removes."""
    entry = changes.get(name, before.get(name))
    if entry and entry.mode != FOLDER:
        raise WorkflowFailure(
            f"main has a file {path}, where a unit has a folder.",
            hint=f"remove the file from main (git rm {path}), then merge again.",
        )


def add_tree(made: dict[str, bytes], tree: Mapping[str, Entry], *, like: str) -> str:
    """Add a tree to those to be written; returns its name, in the digest that another is of."""
    content = format_tree(tree)
    name = digest_like(like, b"tree %d\0%b" % (len(content), content)).hex()
    made[name] = content
    return name


def write_trees(repository: Path, made: Mapping[str, bytes]) -> None:
    """Write trees to a repository, given as name -> content, by one process of git.

    `git fast-import` would look through a folder from its first entry, and
    `git mktree` for each object that a tree names.
    """
    pack = [b"PACK", struct.pack(">II", 2, len(made))]
    for content in made.values():
        pack += [pack_header(len(content)), deflated(content)]
    body = b"".join(pack)
    take_pack(repository, body + digest_like(next(iter(made)), body))


def digest_like(name: str, content: bytes) -> bytes:
    """The digest of content, by the function that another object's name is of."""
    return (hashlib.sha256 if len(name) == 64 else hashlib.sha1)(content).digest()


def format_tree(tree: Mapping[str, Entry]) -> bytes:
    """A tree as git writes it: sorted by name, as if a folder's name ended with a slash."""
    entries = []
    for name, (mode, blob) in tree.items():
        path = name.encode(errors="surrogateescape")
        sorted_by = path + b"/" if mode == FOLDER else path
        written = b"%b %b\0%b" % (mode.lstrip("0").encode(), path, bytes.fromhex(blob))
        entries.append((sorted_by, written))
    return b"".join(written for _, written in sorted(entries))


def deflated(content: bytes) -> bytes:
    """Content as zlib writes it; small content as it is, since names of objects are random.

    That is a header, one block that is stored, and a checksum (RFC 1950, 1951).
    """
    size = len(content)
    if size > STORED_BYTES:
        return zlib.compress(content, 1)
    block = struct.pack("<BHH", 1, size, size ^ 0xFFFF) + content
    return b"\x78\x01" + block + struct.pack(">I", zlib.adler32(content))


def pack_header(size: int) -> bytes:
    """What stands before a tree of so many bytes in a pack: its type, then its size."""
    header, size = [TREE_TYPE << 4 | size & 15], size >> 4
    while size:
        header[-1] |= 128
        header.append(size & 127)
        size >>= 7
    return bytes(header)
