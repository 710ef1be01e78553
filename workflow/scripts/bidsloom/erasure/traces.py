"""What a dataset's store holds of a subject, and what of that others use, too.

All commits of the store are looked at, also those that no branch leads to any
more: the content of a result that was replaced is still there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base.batching import in_batches
from ..base.runners import call_large
from ..datasets.annex import SYMLINK, entry_key, key_size, name_of_key
from ..datasets.branches import Entry, Result, read_files, read_results, read_stand_ins
from ..datasets.output_datasets import OutputDataset
from ..datasets.stored_files import repository_of
from ..datasets.stores import missing_keys
from ..datasets.trees import walk_tree
from .person import Person

COMMITS_AT_ONCE = 100
# A link to the annex starts with so many `../` at most.
DEEPEST = 40


@dataclass(frozen=True)
class Traces:
    """What a dataset's store holds of a subject.

    `keys` are the keys of its
    content that is in the store and that nobody else uses, `shared` those that
    others use, too.
    """

    output: OutputDataset
    keys: frozenset[str]
    shared: frozenset[str]

    @property
    def bytes(self) -> int:
        """The size of the content that nobody else uses."""
        return sum(map(key_size, self.keys))


def find_traces(output: OutputDataset, person: Person, *, tree: str) -> Traces:
    """What a dataset's store holds of a subject; `tree` is main's without it."""
    repository = repository_of(output)
    commits = list_commits(repository)
    own = {r.commit for r in read_results(repository, commits) if person.owns(r.unit)}
    mine: set[Entry] = set()
    for commit, files in read_all_files(repository, commits):
        mine |= {e for path, e in files.items() if commit in own or person.owns_path(path)}
    links = find_links(repository, mine)
    others = used_by_others(repository, commits, own, person, links)
    # What somebody merged by hand is in no commit of its own.
    others |= used_in_tree(output.dataset, tree, person, links) if links else set()
    keys = set(links.values())
    absent = missing_keys(output.store, keys, dataset=output.dataset)
    return Traces(output, frozenset(keys - others - absent), frozenset(others))


def list_commits(repository: Path) -> list[str]:
    """Every commit that a repository holds, whether a branch leads to it or not."""
    command = ["git", "cat-file", "--batch-all-objects", "--unordered"]
    command.append("--batch-check=%(objecttype) %(objectname)")
    out = call_large(command, cwd=repository, stdin="")
    return sorted(
        line[len(b"commit ") :].decode() for line in out.splitlines() if line.startswith(b"commit ")
    )


def read_all_files(
    repository: Path, commits: Iterable[str]
) -> Iterator[tuple[str, Mapping[str, Entry]]]:
    """Each of some commits with the files that it adds or changes, a few at a time."""
    for batch in in_batches(commits, COMMITS_AT_ONCE):
        yield from read_files(repository, [Result("", commit, "") for commit in batch]).items()


def find_links(repository: Path, entries: Iterable[Entry]) -> dict[str, str]:
    """Blob -> key, for every way in which git can name the annexed files among some entries.

    The same content is another blob in another folder: the link to it starts
    with other `../`.
    """
    entries = [entry for entry in entries if int(entry.mode)]
    contents = read_stand_ins(repository, entries)
    found: dict[str, str] = {}
    for entry in entries:
        text = contents.get(entry.blob)
        key = entry_key(entry.mode, text) if text is not None else None
        if key is None or text is None:
            continue
        found[entry.blob] = key
        name = os.fsencode(name_of_key(key))
        ways = [b"/annex/objects/%b" % name, b"/annex/objects/%b\n" % name]
        if entry.mode == SYMLINK:
            _, inside, tail = text.partition(b".git/annex/objects/")
            ways += [b"../" * depth + inside + tail for depth in range(DEEPEST)]
        found |= {blob_name(way, like=entry.blob): key for way in ways}
    return found


def blob_name(content: bytes, *, like: str) -> str:
    """The name that git has for a blob, in a repository that has names like another one."""
    digest = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return digest(b"blob %d\0%b" % (len(content), content)).hexdigest()


def used_by_others(
    repository: Path,
    commits: Iterable[str],
    own: set[str],
    person: Person,
    links: Mapping[str, str],
) -> set[str]:
    """Those of some keys that others use in commits of their own."""
    found: set[str] = set()
    if not links:
        return found
    for _, files in read_all_files(repository, (c for c in commits if c not in own)):
        found |= {
            links[e.blob]
            for path, e in files.items()
            if e.blob in links and not person.owns_path(path)
        }
    return found


def used_in_tree(repository: Path, tree: str, person: Person, links: Mapping[str, str]) -> set[str]:
    """Those of some keys that a tree has at paths of others."""
    return {
        links[entry.blob]
        for path, entry in walk_tree(repository, tree)
        if entry.blob in links and not person.owns_path(path)
    }
