"""Packs of objects, as git writes them (https://git-scm.com/docs/gitformat-pack)."""

from __future__ import annotations

from pathlib import Path

from ..base.runners import call

# Fewer objects are written one by one, as git does with pushed objects.
LOOSE_OBJECTS = 100


def take_pack(repository: Path, pack: bytes) -> None:
    """Write the objects of a pack to a repository.  Raises `CommandError` where that fails."""
    objects = int.from_bytes(pack[8:12], "big")
    take = ["index-pack", "--stdin"] if objects > LOOSE_OBJECTS else ["unpack-objects", "-q"]
    call(["git", *take], cwd=repository, stdin=pack)
