"""A subject's files out of main, and its branches out of the stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config import Study
from ..datasets.annex import SUBDATASET
from ..datasets.branches import (
    ERASED_TRAILER,
    REMOVED_TRAILER,
    BranchKind,
    Entry,
    list_heads,
    read_erased,
)
from ..datasets.output_datasets import OutputDataset, owner_of
from ..datasets.stores import REMOTE
from ..datasets.trees import read_entries, root_tree, walk_tree, write_tree
from ..merge.decisions import Found
from ..merge.describe import list_descriptions
from ..merge.mains import Place
from ..merge.merge import read_all_contents, shared_patterns
from ..merge.remove_branches import remove_branches
from ..merge.weave import decide
from ..merge.write_main import commit_tree
from ..units.output_folders import result_folders
from .person import Person


@dataclass(frozen=True)
class Removal:
    """What main is without a subject.

    `trees` are by dataset, `paths` those of the output dataset that change.
    `registered` are datasets that main registers under the subject's name.
    """

    units: tuple[str, ...]
    trees: Mapping[str, str]
    paths: tuple[str, ...]
    registered: tuple[str, ...]


def plan_removal(study: Study, found: Found, person: Person) -> Removal:
    """Main without a subject: without its results, and without other files that name it.

    Of a file that it shares with others, main gets theirs.
    """
    units = person.list_own(found.ledger)
    changes = changes_without(study, found, units)
    trees = trees_with(found, changes)
    paths, registered = set(changes), []
    for place in found.places:
        target, clone = place.target, place.target.dataset
        tree = trees[place.path]
        named = dict(list_named(clone, tree, person))
        links = [path for path, entry in named.items() if entry.mode == SUBDATASET]
        registered += [target.outside(path) for path in links]
        files: dict[str, Entry | None] = {path: None for path in named if path not in links}
        paths |= {target.outside(path) for path in files}
        trees[place.path] = write_tree(clone, tree, files) if files else tree
    return Removal(tuple(units), trees, tuple(sorted(paths)), tuple(sorted(registered)))


def changes_without(study: Study, found: Found, units: Sequence[str]) -> dict[str, Entry | None]:
    """What main has instead, path by path, where some units' results are taken out.

    Descriptions, which merges write, stay as they are; so does a file that
    others have too, and that main has in a version of nobody's (a person
    edited it).
    """
    described = list_descriptions(
        [place.target for place in found.places], result_folders(study, found.ledger)
    )
    contents = read_all_contents(found.places, [], removed=units, apart=described)
    weave = decide([], held=contents.held, shared=shared_patterns(study), removed=units)
    changes = {path: entry for files in weave.removed.values() for path, entry in files.items()}
    own = {
        (path, entry)
        for unit in units
        if unit in contents.held
        for path, entry in contents.held[unit].files.items()
    }
    there = read_main(found, [path for path, entry in changes.items() if entry])
    return {
        path: entry
        for path, entry in changes.items()
        if entry is None or (path in there and (path, there[path]) in own)
    }


def read_main(found: Found, paths: Sequence[str]) -> dict[str, Entry]:
    """Path of the output dataset -> what main has there."""
    outputs = [place.target for place in found.places]
    there: dict[str, Entry] = {}
    for place in found.places:
        target = place.target
        inside = [target.inside(path) for path in paths if owner_of(path, outputs) is target]
        tree = root_tree(target.dataset, place.start)
        entries = read_entries(target.dataset, tree, inside)
        there |= {target.outside(path): entry for path, entry in entries.items()}
    return there


def trees_with(found: Found, changes: Mapping[str, Entry | None]) -> dict[str, str]:
    """By dataset, the tree of main with some changes."""
    outputs = [place.target for place in found.places]
    trees = {}
    for place in found.places:
        target, clone = place.target, place.target.dataset
        own = {
            target.inside(path): entry
            for path, entry in changes.items()
            if owner_of(path, outputs) is target
        }
        tree = root_tree(clone, place.start)
        trees[place.path] = write_tree(clone, tree, own) if own else tree
    return trees


def list_named(repository: Path, tree: str, person: Person) -> Iterator[tuple[str, Entry]]:
    """The first entries of a tree that name a subject: files, complete folders, subdatasets."""
    for path, entry in walk_tree(
        repository, tree, opens=lambda path: not (person.owns_path(path) or names_another(path))
    ):
        if person.owns_path(path):
            yield path, entry


def names_another(path: str) -> bool:
    """Whether a folder is of some subject: nothing below it is of another one."""
    return path.rpartition("/")[2].startswith("sub-")


def write_removal(found: Found, removal: Removal, person: Person) -> dict[str, str]:
    """Write the commits of each dataset's main; returns path -> commit.

    The commit of the output dataset says who was erased, so that no later merge
    takes in a result of theirs.
    """
    commits: dict[str, str] = {}
    *further, output = found.places
    for place in further:
        commits[place.path] = write_commit(place, removal.trees[place.path], removal, person)
    links: dict[str, Entry | None] = {
        path: Entry(SUBDATASET, commit) for path, commit in commits.items()
    }
    tree = removal.trees[output.path]
    tree = write_tree(output.target.dataset, tree, links) if links else tree
    known = person.subject in read_erased(output.target.dataset, output.start)
    commits[output.path] = write_commit(output, tree, removal, person, mark=not known)
    return commits


def write_commit(
    place: Place, tree: str, removal: Removal, person: Person, *, mark: bool = False
) -> str:
    """A commit with a tree on top of a dataset's main; main itself where nothing changes."""
    clone = place.target.dataset
    if not mark and tree == root_tree(clone, place.start):
        return place.start
    units = [unit for unit in removal.units if unit in place.ledger]
    trailers = [f"{REMOVED_TRAILER}: {unit}" for unit in units]
    trailers.append(f"{ERASED_TRAILER}: {person.subject}")
    message = f"Erase {person.subject}\n\n" + "\n".join(trailers)
    return commit_tree(clone, tree, [place.start], message)


def list_branches(
    study: Study, output: OutputDataset, person: Person
) -> dict[BranchKind, dict[str, str]]:
    """Kind -> unit -> commit, of the branches that a subject has in a store."""
    prefix, app = f"refs/remotes/{REMOTE}/", study.container.name
    return {
        kind: {unit: c for unit, c in heads.items() if person.owns(unit)}
        for kind in BranchKind
        if (heads := list_heads(output.dataset, prefix, app, kind))
    }


def delete_branches(study: Study, output: OutputDataset, person: Person) -> None:
    """Delete a subject's branches in a store, and in the study's clone of it."""
    for kind, heads in list_branches(study, output, person).items():
        if heads:
            remove_branches(output, study.container.name, heads, kind)
