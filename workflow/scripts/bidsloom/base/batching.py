"""Many things, a few at a time: what bounds the memory that they take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, in lists of at most `size`."""
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch
