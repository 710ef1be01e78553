"""Annexed files as git and git-annex keep them: links, keys, sizes, paths of objects.

Reads repositories without a checkout; knows nothing of BIDS.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_annex, call_git, call_git_records, read_objects

SYMLINK = "120000"
FOLDER = "040000"
# Bytes; every pointer file (which stands for an unlocked file in git) is smaller.
POINTER_SIZE = 1000
SUBDATASET = "160000"
# A key: backend, fields, name.
_KEY = re.compile(r"[A-Z0-9_]+(?:-[a-zA-Z]\d+)*--.+", re.DOTALL)
POINTER = b"/annex/objects/"
# How git-annex writes a key as a file name ("keyFile"); `%` stands for a slash.
_ESCAPES = {"&c": ":", "&s": "%", "&a": "&"}
_ESCAPED = str.maketrans({"&": "&a", "%": "&s", ":": "&c", "/": "%"})
_SIZE = re.compile(r"[A-Z0-9_]+(?:-[a-zA-Z]\d+)*?-s(\d+)")


def link_key(target: str) -> str | None:
    """The key of the annexed file that a symbolic link stands for; None for another link.

    The link may lead into any repository's annex, by a relative or an absolute path.
    """
    folder, _, name = target.rpartition("/")
    if "/.git/annex/objects/" not in f"/{folder}/":
        return None
    return key_of_name(name)


def pointer_key(content: bytes) -> str | None:
    """The key of the unlocked annexed file that a small file stands for; None for any other text.

    git-annex' own rule: one line `/annex/objects/` with the key's file name,
    and after it no line that starts otherwise than with `/annex/`.
    """
    if not content.startswith(POINTER):
        return None
    first, *rest = content.removesuffix(b"\n").split(b"\n")
    if any(not line.startswith(b"/annex/") for line in rest):
        return None
    name = os.fsdecode(first[len(POINTER) :]).rstrip("\r")
    return key_of_name(name.rpartition("/")[2])


def key_of_name(name: str) -> str | None:
    """The key that a file name in an annex stands for, or None.

    Keys of files registered by URL hold characters that no file name can.
    """
    key = name.replace("%", "/")
    if "&" in key:
        key = re.sub("&[csa]", lambda match: _ESCAPES[match[0]], key)
    return key if _KEY.fullmatch(key) else None


def name_of_key(key: str) -> str:
    """The file name that stands for a key in an annex."""
    return key.translate(_ESCAPED)


def annexed_keys(repository: Path, commit: str, paths: list[str]) -> list[str]:
    """Keys of the annexed files below some paths, both links and unlocked files."""
    command = ["--literal-pathspecs", "ls-tree", "-r", "-l", "-z", commit, "--", *paths]
    candidates = []
    for record in call_git_records(command, cwd=repository):
        mode, _, object_id, size = record.partition("\t")[0].split()
        # The first line of an unlocked file's blob contains its key.
        if mode == SYMLINK or (size != "-" and int(size) < POINTER_SIZE):
            candidates.append((mode, object_id))
    contents = read_objects([blob for _, blob in candidates], repository=repository)
    keys = (
        entry_key(mode, content) for (mode, _), content in zip(candidates, contents, strict=True)
    )
    return list(dict.fromkeys(filter(None, keys)))


def entry_key(mode: str, content: bytes) -> str | None:
    """The key of an annexed file, from its mode in git and its blob; None for any other file."""
    return link_key(os.fsdecode(content)) if mode == SYMLINK else pointer_key(content)


def read_file(repository: Path, commit: str, path: str) -> bytes | None:
    """A committed file, fetched first if it is annexed; None where the commit has no such file.

    Raises `CommandError` where its content cannot be fetched.
    """
    entries = call_git_records(
        ["--literal-pathspecs", "ls-tree", "-z", commit, "--", path], cwd=repository
    )
    if not entries or entries[0].split()[1] != "blob":
        return None
    if keys := annexed_keys(repository, commit, [path]):
        call_annex(["get", "-q", f"--key={keys[0]}"], cwd=repository)
        path = call_annex(["contentlocation", keys[0]], cwd=repository)
        return (repository / path).read_bytes()
    (content,) = read_objects([entries[0].split()[2]], repository=repository)
    return content


def known_size(key: str) -> int | None:
    """Bytes of an annexed file, from its key; None where the key has no size."""
    match = _SIZE.match(key)
    return int(match[1]) if match else None


def key_size(key: str) -> int:
    """Bytes of an annexed file, from its key; 0 where the key has no size."""
    return known_size(key) or 0


def annex_branch(repository: Path) -> str | None:
    """The commit of a clone's git-annex branch, preferably as fetched; None without one."""
    for ref in ("refs/remotes/origin/git-annex", "refs/heads/git-annex"):
        try:
            return call_git(["rev-parse", "--verify", "-q", ref], cwd=repository)
        except CommandError:
            continue
    return None


def is_annexed(repository: Path) -> bool:
    """True where a clone has a git-annex branch."""
    return annex_branch(repository) is not None


def content_path(clone: Path, commit: str, path: str) -> Path:
    """Where a clone keeps the content of a commit's annexed file."""
    target = call_git(["cat-file", "blob", f"{commit}:{path}"], cwd=clone)
    return clone / ".git" / target.partition(".git/")[2]


def holds_object(repository: Path, key: str) -> bool:
    """True where a bare repository holds a key's content, with the size that the key states."""
    name = name_of_key(key)
    try:
        # Without a `Path`: a merge asks this for each of its files.
        size = os.stat(f"{repository}/annex/objects/{log_folder(key)}{name}/{name}").st_size
    except OSError:
        return False
    return known_size(key) in (None, size)


def object_path(repository: Path, key: str) -> Path:
    """Where a bare repository keeps a key."""
    name = name_of_key(key)
    return repository / "annex" / "objects" / log_folder(key) / name / name


def log_folder(key: str) -> str:
    """The folder of a key in a git-annex branch, and among the objects of a bare repository.

    git-annex calls it "hashdirlower" (https://git-annex.branchable.com/internals/hashing/).
    """
    digest = hashlib.md5(key.encode(errors="surrogateescape")).hexdigest()
    return f"{digest[:3]}/{digest[3:6]}/"
