"""What many results hold at one path, read by a few git processes for all of them.

Also the commit that stands for several results together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call, call_git, call_git_lines, call_git_records
from .annex import SUBDATASET
from .branches import Entry
from .stores import last_line
from .trees import read_trees, root_tree, write_tree

# Of commits that stand for several: the same results have the same commit.
NOBODY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "bidsloom"), ("EMAIL", "bidsloom"), ("DATE", "@0 +0000"))
}


def read_folder_of_each(
    repository: Path, commits: Iterable[str], folder: str
) -> dict[str, dict[str, Entry]]:
    """Commit -> what a folder holds there, name by name; nothing where there is no such folder.

    An empty folder is the root.
    """
    commits = list(dict.fromkeys(commits))
    trees = look_up(repository, [f"{commit}:{folder}" for commit in commits], "tree")
    contents = read_trees(repository, [tree for tree in trees if tree])
    return {
        commit: contents[tree] if tree else {} for commit, tree in zip(commits, trees, strict=True)
    }


def read_registered_of_each(repository: Path, commits: Iterable[str], path: str) -> dict[str, str]:
    """Commit -> the commit of a subdataset that it registers at a path, where it does."""
    folder, _, name = path.rpartition("/")
    held = read_folder_of_each(repository, commits, folder)
    entries = {commit: entries.get(name) for commit, entries in held.items()}
    return {c: entry.blob for c, entry in entries.items() if entry and entry.mode == SUBDATASET}


def look_up(repository: Path, names: Sequence[str], kind: str) -> list[str | None]:
    """The object of a kind behind each name, as git understands names; None where there is none."""
    if not names:
        return []
    stdin = "".join(f"{name}\n" for name in names)
    lines = call_git_lines(["cat-file", "--batch-check"], cwd=repository, stdin=stdin)
    found = [line.split() for line in lines]
    return [words[0] if words[1:2] == [kind] else None for words in found]


def fetch_commits(repository: Path, url: str, commits: Iterable[str]) -> None:
    """Fetch commits that a clone does not have, from a store; no ref is written.

    Raises `WorkflowFailure` where the store does not have one of them.
    """
    wanted = list(dict.fromkeys(commits))
    there = look_up(repository, [f"{commit}^{{commit}}" for commit in wanted], "commit")
    missing = [commit for commit, found in zip(wanted, there, strict=True) if not found]
    if not missing:
        return
    options = ["-q", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--stdin"]
    try:
        call_git(["fetch", *options, url], cwd=repository, stdin="".join(f"{c}\n" for c in missing))
    except CommandError as e:
        raise WorkflowFailure(
            f"The results {', '.join(c[:10] for c in missing[:3])} cannot be fetched from {url}: "
            f"{last_line(e.stderr)}",
            hint="check that the store can be reached; start its study again if it lost them.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        ) from e


def join_commits(repository: Path, commits: Sequence[str], folder: str, message: str) -> str:
    """The commit that holds what several results wrote below a folder; they are its parents.

    Each was made from the same commit, and writes files of its own.  The same
    results always have the same commit.
    """
    files: dict[str, Entry | None] = {}
    # Where several wrote a file, that of the first one counts, as in a merge.
    for commit in reversed(commits):
        command = ["--literal-pathspecs", "ls-tree", "-r", "-z", commit, "--"]
        within = [f"{folder}/"] if folder else []
        for record in call_git_records([*command, *within], cwd=repository):
            head, _, path = record.partition("\t")
            mode, _, blob = head.split()
            files[path] = Entry(mode, blob)
    root = root_tree(repository, commits[0])
    tree = write_tree(repository, root, files)
    parents = [word for commit in commits for word in ("-p", commit)]
    command = ["git", "commit-tree", tree, *parents, "-m", message]
    return call(command, cwd=repository, env=NOBODY).decode().strip()
