"""The result of a unit, over all datasets that its job wrote to.

A job branch of the output dataset announces a result.  Where an output is a
separate dataset, that branch registers a commit of it, and the commit is on a
job branch in that dataset's own store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .annex import SUBDATASET
from .branches import Branch, Result, read_branches
from .output_datasets import OutputDataset
from .stores import missing_keys


@dataclass(frozen=True)
class UnitResult:
    """One unit's result: path of each dataset -> what the result adds to it.

    `missing` says in words what the stores lack of it; empty for a complete
    result.
    """

    result: Result
    parts: Mapping[str, Branch]
    missing: str = ""

    def joined(self) -> Branch:
        """All parts as one branch, with paths relative to the output dataset."""
        files = {
            f"{folder}/{path}" if folder else path: entry
            for folder, part in self.parts.items()
            for path, entry in part.files.items()
        }
        keys = frozenset(key for part in self.parts.values() for key in part.keys)
        return Branch(self.result, files, keys)


def read_unit_results(
    outputs: Sequence[OutputDataset],
    results: Iterable[Result],
    *,
    repositories: Mapping[str, Path],
    heads: Mapping[str, Collection[str]],
) -> list[UnitResult]:
    """The results on some job branches of the output dataset, checked against the stores.

    In `outputs`, the output dataset comes last.  By each dataset's path,
    `repositories` says where its commits can be read, and `heads` are the
    commits of its job branches.
    """
    *further, main = outputs
    branches = list(read_branches(repositories[main.path], results))
    parts: dict[str, dict[str, Branch]] = {branch.result.commit: {} for branch in branches}
    lost: dict[str, str] = {}
    for output in further:
        registered = {}
        for branch in branches:
            entry = branch.files.get(output.path)
            if entry is None or entry.mode != SUBDATASET:
                continue
            if entry.blob in heads[output.path]:
                registered[entry.blob] = branch.result
            else:
                lost[branch.result.commit] = f"its part of {output.path} is not in that store"
        inner = [Result(r.unit, commit, r.fingerprint) for commit, r in registered.items()]
        for part in read_branches(repositories[output.path], inner):
            parts[registered[part.result.commit].commit][output.path] = part
    for branch in branches:
        parts[branch.result.commit][main.path] = without(branch, [o.path for o in further])
    absent = {}
    for output in outputs:
        there = [found[output.path] for found in parts.values() if output.path in found]
        keys = {key for part in there for key in part.keys}
        absent[output.path] = missing_keys(output.store, keys, dataset=output.dataset)
    return [
        UnitResult(
            branch.result,
            found,
            lost.get(branch.result.commit, "") or describe_absent(found, absent),
        )
        for branch, found in ((b, parts[b.result.commit]) for b in branches)
    ]


def without(branch: Branch, paths: Collection[str]) -> Branch:
    """A branch without the files at some paths."""
    files = {path: entry for path, entry in branch.files.items() if path not in paths}
    return replace(branch, files=files)


def describe_absent(parts: Mapping[str, Branch], absent: Mapping[str, set[str]]) -> str:
    """Which annexed files of a result the stores lack, in words; empty for none."""
    keys = sorted(key for folder, part in parts.items() for key in part.keys & absent[folder])
    if not keys:
        return ""
    return f"{len(keys)} annexed file(s) missing in the store: {', '.join(keys[:3])}"
