"""Write the `dataset_description.json` of the output dataset, and of each output.

Jobs write an output's description, as the app does.  The merge takes that of
the unit that comes first by name, completes it, and writes it to main: the
study knows what no app knows, and a later state of the study changes no job
branch.  What somebody edited in main stays, and is completed too.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from ..base.runners import call_git_records, read_objects
from ..datasets.branches import Entry
from ..datasets.output_datasets import OutputDataset, owner_of
from ..datasets.trees import read_entries, root_tree, write_blob, write_tree
from .descriptions import About, complete
from .mains import base_of
from .write_main import commit_tree

log = logging.getLogger(__name__)

DESCRIPTION = "dataset_description.json"
# Path of a description that a merge wrote -> its blob, in the dataset that holds it.
WRITTEN = ".datalad/bidsloom-described.json"
FILE = "100644"
# At most so many units are asked for the app's own description.
ASKED = 20


def list_descriptions(
    targets: Iterable[OutputDataset], folders: Iterable[str]
) -> dict[str, list[str]]:
    """Path of a dataset -> the descriptions in it, of some folders of the output dataset."""
    targets = list(targets)
    found: dict[str, list[str]] = {target.path: [] for target in targets}
    for folder in folders:
        target = owner_of(folder, targets)
        found[target.path].append(os.path.normpath(f"{target.inside(folder)}/{DESCRIPTION}"))
    return found


def describe(
    target: OutputDataset,
    commit: str,
    about: About,
    *,
    paths: Iterable[str],
    before: Mapping[str, str],
    after: Mapping[str, str],
) -> str:
    """Write descriptions on top of a commit of main; returns the new commit, or the same one.

    `paths` are those of the outputs in this dataset; `before` and `after` are
    unit -> commit of the results that main held before the merge, and holds now.
    """
    repository, paths = target.dataset, list(paths)
    own, old = find_own(target, paths, after), find_own(target, paths, before)
    if not target.path:
        own |= list_entries(target, base_of(target), [DESCRIPTION])
        paths = [DESCRIPTION, *paths]
    tree = root_tree(repository, commit)
    there = read_entries(repository, tree, [*paths, WRITTEN])
    if not after and WRITTEN not in there:
        return commit
    known = parse(target, there.get(WRITTEN)) or {}
    there |= read_entries(repository, tree, known)
    changes: dict[str, Entry | None] = {}
    written = {}
    for path in paths:
        entry, app = there.get(path), own.get(path)
        edited = entry and entry.blob != known.get(path) and entry not in (app, old.get(path))
        made = changes[path] = completed(target, path, entry if edited else app, about)
        written[path] = known.get(path, "") if edited else made.blob
    for path in known.keys() - set(paths):
        if path in there and there[path].blob == known[path]:
            changes[path] = None
    changes[WRITTEN] = write_json(target, written) if written else None
    described = write_tree(repository, tree, changes)
    if described == tree:
        return commit
    return commit_tree(repository, described, [commit], "Describe the dataset")


def find_own(
    target: OutputDataset, paths: Iterable[str], results: Mapping[str, str]
) -> dict[str, Entry]:
    """Path -> the description that the app wrote, of the first unit by name that has one."""
    found: dict[str, Entry] = {}
    left = set(paths)
    for _, commit in islice(sorted(results.items()), ASKED):
        if left:
            found |= list_entries(target, commit, left)
            left -= found.keys()
    return found


def list_entries(target: OutputDataset, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
    """Path -> file, for those of some paths that a commit has."""
    found = {}
    command = ["ls-tree", "-z", commit, "--", *sorted(paths)]
    for record in call_git_records(command, cwd=target.dataset):
        head, _, path = record.partition("\t")
        mode, _, blob = head.split()
        found[path] = Entry(mode, blob)
    return found


def completed(target: OutputDataset, path: str, own: Entry | None, about: About) -> Entry:
    """The description at a path with all that is known; one that cannot be read stays as it is."""
    content = parse(target, own)
    if own and content is None:
        log.warning("%s is annexed, or is no JSON: it stays as it is", target.outside(path))
        return own
    folder = target.outside(path).rpartition("/")[0]
    places = about.inputs if folder else {**about.inputs, **about.outputs}
    links = {name: os.path.relpath(place, folder or ".") for name, place in places.items()}
    kind = "derivative" if folder else "study"
    made = complete(content or {}, about, kind=kind, links=links)
    return own if own and made == content else write_json(target, made)


def parse(target: OutputDataset, entry: Entry | None) -> dict[str, Any] | None:
    """The mapping in a JSON file of a dataset; None where it is none."""
    if entry is None or entry.mode != FILE:
        return None
    (content,) = read_objects([entry.blob], repository=target.dataset)
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def write_json(target: OutputDataset, value: Mapping[str, Any]) -> Entry:
    """A JSON file, which is written to a dataset's repository."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    return Entry(FILE, write_blob(target.dataset, text))
