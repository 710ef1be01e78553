"""A merge beside those of other studies: what is read of their results, and what they read.

Main registers the main of each study whose results were read, so that every
result can be computed again from a fresh clone.  A result that was made from
one which that main does not hold yet waits for its merge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ..base.runners import call_git, call_git_lines
from ..config import Study
from ..config.study import FurtherInput
from ..datasets.branches import BranchKind, Result, is_ancestor, list_heads
from ..datasets.clones import fetch_origin
from ..datasets.result_trees import read_registered_of_each
from ..datasets.stores import MAIN, REMOTE, list_remote_heads
from ..datasets.trees import root_tree
from ..units.produced_files import content_store, producer_of
from .mains import Place
from .outlines import read_commits
from .write_main import commit_tree


def find_mains(study: Study) -> dict[str, str]:
    """Main of each study whose results are read, by where that is registered."""
    mains = {}
    for further in study.produced_inputs:
        heads = list_remote_heads(content_store(further), f"refs/heads/{MAIN}")
        if MAIN in heads:
            mains[further.path] = heads[MAIN]
    return mains


def find_early(study: Study, results: Iterable[Result], mains: Mapping[str, str]) -> dict[str, str]:
    """Unit -> why its result waits: what it was made from is not in main of the other study."""
    results = list(results)
    early: dict[str, str] = {}
    if not results or not study.produced_inputs:
        return early
    commits = read_commits(study.dataset, [result.commit for result in results])
    bases = {commit: parents[0] for commit, (_, parents) in commits.items()}
    for further in study.produced_inputs:
        read = read_registered_of_each(study.dataset, bases.values(), further.path)
        held = commits_of_main(further, mains.get(further.path))
        for result in results:
            commit = read.get(bases[result.commit])
            if commit and commit not in held:
                name = producer_of(further).name
                early[result.unit] = (
                    f"it was made from a result of study {name} that is not merged there yet; "
                    f"merge {name} first"
                )
    return early


def commits_of_main(further: FurtherInput, main: str | None) -> set[str]:
    """All commits of the history of another study's main."""
    if main is None:
        return set()
    store = content_store(further)
    if store.repository is None:
        fetch_origin(further.clone)
    return set(call_git_lines(["rev-list", main], cwd=store.repository or further.clone))


def keep_joined(place: Place, app: str, commit: str) -> str:
    """The commit of main, with those in its history that jobs of other studies read together."""
    repository = place.target.dataset
    joined = [c for c in list_joined(place, app).values() if is_merged(repository, c, commit)]
    new = sorted(c for c in joined if not is_ancestor(repository, c, commit))
    if not new:
        return commit
    tree = root_tree(repository, commit)
    return commit_tree(repository, tree, [commit, *new], "Keep what other studies read")


def list_joined(place: Place, app: str) -> dict[str, str]:
    """Subject -> the commit that joins results of it for jobs of other studies."""
    return list_heads(place.target.dataset, f"refs/remotes/{REMOTE}/", app, BranchKind.JOINED)


def kept_joined(place: Place, app: str, main: str) -> dict[str, str]:
    """Those of the commits that join results which main has in its history."""
    repository = place.target.dataset
    joined = list_joined(place, app)
    return {s: commit for s, commit in joined.items() if is_ancestor(repository, commit, main)}


def is_merged(repository: Path, joined: str, main: str) -> bool:
    """True where main has all results that a commit joins."""
    _, *parents = call_git(["rev-list", "--parents", "-1", joined], cwd=repository).split()
    return all(is_ancestor(repository, parent, main) for parent in parents)
