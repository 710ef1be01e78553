"""The result of a unit, over all datasets that its job wrote to.

A job branch of the output dataset announces a result.  Where an output is a
separate dataset, that branch registers a commit of it, and the commit is on a
job branch in that dataset's own store.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.batching import in_batches
from .annex import SUBDATASET
from .branches import Branch, Result, read_branches, read_files
from .output_datasets import OutputDataset
from .stores import missing_keys

# Of so many results, all files are in memory together.
RESULTS_PER_READ = 100


@dataclass(frozen=True)
class UnitResult:
    """One unit's result: path of each dataset -> its commit there.

    `keys` are the annexed files that it adds to each dataset, as one string
    (a merge holds millions of them); `missing` says in words what the stores
    lack of the result, and is empty for a complete one.
    """

    result: Result
    parts: Mapping[str, str]
    keys: Mapping[str, bytes] = field(default_factory=dict)
    missing: str = ""

    def part(self, path: str) -> Result:
        """The result as it is in one dataset."""
        return replace(self.result, commit=self.parts[path])

    def list_keys(self, path: str) -> list[str]:
        """The keys of the annexed files that it adds to a dataset."""
        joined = self.keys.get(path, b"")
        return joined.decode(errors="surrogateescape").split("\0") if joined else []


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
    return [
        found
        for batch in in_batches(results, RESULTS_PER_READ)
        for found in read_batch(outputs, batch, repositories=repositories, heads=heads)
    ]


def read_batch(
    outputs: Sequence[OutputDataset],
    results: list[Result],
    *,
    repositories: Mapping[str, Path],
    heads: Mapping[str, Collection[str]],
) -> Iterator[UnitResult]:
    """As `read_unit_results`, for a few results."""
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
        parts[branch.result.commit][main.path] = branch
    absent = {}
    for output in outputs:
        there = [found[output.path] for found in parts.values() if output.path in found]
        keys = {key for part in there for key in part.keys}
        absent[output.path] = missing_keys(output.store, keys, dataset=output.dataset)
    for branch in branches:
        found = parts[branch.result.commit]
        yield UnitResult(
            branch.result,
            {path: part.result.commit for path, part in found.items()},
            {
                path: "\0".join(part.keys).encode(errors="surrogateescape")
                for path, part in found.items()
            },
            lost.get(branch.result.commit, "") or describe_absent(found, absent),
        )


def list_written(
    outputs: Sequence[OutputDataset], results: Iterable[UnitResult]
) -> Iterator[tuple[UnitResult, list[str]]]:
    """The results, each with the paths that it writes, relative to the output dataset."""
    apart = {output.path for output in outputs if output.path}
    for batch in in_batches(results, RESULTS_PER_READ):
        written: dict[str, list[str]] = {found.result.commit: [] for found in batch}
        for output in outputs:
            owners = {r.parts[output.path]: r.result for r in batch if output.path in r.parts}
            inner = [replace(r, commit=commit) for commit, r in owners.items()]
            for commit, files in read_files(output.dataset, inner).items():
                names = files if output.path else files.keys() - apart
                written[owners[commit].commit] += map(output.outside, names)
        yield from ((found, written[found.result.commit]) for found in batch)


def describe_absent(parts: Mapping[str, Branch], absent: Mapping[str, set[str]]) -> str:
    """Which annexed files of a result the stores lack, in words; empty for none."""
    keys = sorted(key for folder, part in parts.items() for key in part.keys & absent[folder])
    if not keys:
        return ""
    return f"{len(keys)} annexed file(s) missing in the store: {', '.join(keys[:3])}"
