"""What jobs announced: the results on job branches, over all datasets they were written to.

A job branch of the output dataset announces a result.  Where an output is a
dataset of its own, the branch registers a commit of it, which has a job branch
of its own in that dataset's store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .annex import SUBDATASET
from .branches import Branch, Result, read_branches
from .output_datasets import OutputDataset
from .stores import missing_keys


@dataclass(frozen=True)
class UnitResult:
    """One unit's result: what it adds to each dataset, by that dataset's place.

    `missing` says in words what of it is not in the stores, empty for a whole
    one.
    """

    result: Result
    parts: Mapping[str, Branch]
    missing: str = ""

    def joined(self) -> Branch:
        """All of it as one, with paths relative to the output dataset."""
        files = {
            f"{place}/{path}" if place else path: entry
            for place, part in self.parts.items()
            for path, entry in part.files.items()
        }
        keys = frozenset(key for part in self.parts.values() for key in part.keys)
        return Branch(self.result, files, keys)


def read_unit_results(
    targets: Sequence[OutputDataset],
    results: Iterable[Result],
    *,
    repositories: Mapping[str, Path],
    heads: Mapping[str, Collection[str]],
) -> list[UnitResult]:
    """The results on some job branches of the output dataset, each looked for in the stores.

    `targets` ends with the output dataset.  `repositories` is where each one's
    commits are read, `heads` are the commits of its job branches.
    """
    *further, output = targets
    own = list(read_branches(repositories[output.path], results))
    parts: dict[str, dict[str, Branch]] = {branch.result.commit: {} for branch in own}
    lost: dict[str, str] = {}
    for target in further:
        registered = {}
        for branch in own:
            entry = branch.files.pop(target.path, None)
            if entry is None or entry.mode != SUBDATASET:
                continue
            if entry.blob in heads[target.path]:
                registered[entry.blob] = branch.result
            else:
                lost[branch.result.commit] = f"its part of {target.path} is not in that store"
        inner = [Result(r.unit, commit, r.fingerprint) for commit, r in registered.items()]
        for part in read_branches(repositories[target.path], inner):
            parts[registered[part.result.commit].commit][target.path] = part
    for branch in own:
        parts[branch.result.commit][output.path] = branch
    absent = {}
    for target in targets:
        there = [found[target.path] for found in parts.values() if target.path in found]
        keys = {key for part in there for key in part.keys}
        absent[target.path] = missing_keys(target.store, keys, dataset=target.dataset)
    return [
        UnitResult(
            branch.result,
            found,
            lost.get(branch.result.commit, "") or describe_absent(found, absent),
        )
        for branch, found in ((b, parts[b.result.commit]) for b in own)
    ]


def describe_absent(parts: Mapping[str, Branch], absent: Mapping[str, set[str]]) -> str:
    """In words, which annexed files of a result are not in the stores."""
    keys = sorted(key for place, part in parts.items() for key in part.keys & absent[place])
    if not keys:
        return ""
    return f"{len(keys)} annexed file(s) missing in the store: {', '.join(keys[:3])}"
