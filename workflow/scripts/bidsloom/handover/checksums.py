"""Content compared with what its key says: size and checksum.

A file that git itself holds has the key `GIT--<name of its blob>`, as git-annex
calls it.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

CHUNK = 2**20
_KEY = re.compile(r"(MD5|SHA1|SHA224|SHA256|SHA384|SHA512)E?-s(\d+)--([0-9a-f]+)(?:\..*)?")
_GIT = re.compile(r"GIT--([0-9a-f]+)")
# Of a file in a zip archive.
_CRC = re.compile(r"CRC32-s(\d+)--([0-9a-f]{8})")


class Digest(Protocol):
    """What computes a checksum."""

    def update(self, data: bytes, /) -> None:
        """Take in more content."""

    def hexdigest(self) -> str:
        """The checksum of all that was taken in."""


class Crc32:
    """The checksum of zip archives."""

    def __init__(self) -> None:
        self.value = 0

    def update(self, data: bytes, /) -> None:
        """Take in more content."""
        self.value = zlib.crc32(data, self.value)

    def hexdigest(self) -> str:
        """The checksum of all that was taken in."""
        return f"{self.value:08x}"


def open_digest(key: str, size: int) -> tuple[Digest, str] | None:
    """What computes the checksum that a key states, and that checksum; None for a key without."""
    if found := _KEY.fullmatch(key):
        return hashlib.new(found[1].lower(), usedforsecurity=False), found[3]
    if found := _GIT.fullmatch(key):
        digest = hashlib.new("sha1" if len(found[1]) == 40 else "sha256", usedforsecurity=False)
        digest.update(b"blob %d\0" % size)
        return digest, found[1]
    if found := _CRC.fullmatch(key):
        return Crc32(), found[2]
    return None


def checked(chunks: Iterable[bytes], key: str, size: int) -> Iterator[bytes]:
    """The same chunks; raises `ValueError` at their end where they are not what a key says."""
    opened, length = open_digest(key, size), 0
    for chunk in chunks:
        length += len(chunk)
        if opened:
            opened[0].update(chunk)
        yield chunk
    if length != size:
        raise ValueError(f"it has {length} bytes instead of {size}")
    if opened and opened[0].hexdigest() != opened[1]:
        raise ValueError("its content is not what its checksum says")


def read_chunks(path: Path) -> Iterator[bytes]:
    """A file, a part at a time.  Raises `OSError`."""
    with path.open("rb") as f:
        while chunk := f.read(CHUNK):
            yield chunk


def is_intact(path: Path, key: str, size: int) -> bool:
    """Whether a file has the size and the content that a key says."""
    try:
        for _ in checked(read_chunks(path), key, size):
            pass
    except (OSError, ValueError):
        return False
    return True


def sha256_key(path: Path) -> str:
    """The annex key of a file."""
    digest, size = hashlib.sha256(), 0
    for chunk in read_chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return f"SHA256-s{size}--{digest.hexdigest()}"
