"""What still names a subject after it was erased: history, reflogs, branches, clones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import CommandError
from ..base.runners import call_annex, call_git, call_git_lines
from ..base.text import a_few
from ..datasets.branches import head_of
from ..datasets.locations import list_present, log_path, read_logs
from ..datasets.output_datasets import OutputDataset
from ..datasets.pushes import ANNEX_BRANCH
from ..datasets.stored_files import repository_of
from ..datasets.stores import MAIN, REMOTE, store_uuid
from ..datasets.trees import root_tree
from .person import Person
from .traces import Traces, list_commits

NAMED = 5
# What git-annex calls the web and bittorrent.
BUILT_IN = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")


@dataclass(frozen=True)
class Remains:
    """What of a repository names a subject.

    `messages` are commits whose message does, run records among them, `paths`
    commits that touch its paths; `unreachable` of both no branch leads to.
    `texts` are files of main with its name in their text.
    """

    messages: Sequence[str] = ()
    records: int = 0
    paths: Sequence[str] = ()
    unreachable: int = 0
    refs: Sequence[str] = ()
    reflogs: Sequence[str] = ()
    texts: Sequence[str] = ()


def find_remains(repository: Path, person: Person, *, main: str) -> Remains:
    """What of a repository names a subject."""
    named = [f":(glob)**/{person.subject}{end}" for end in ("", "/**", "_*", "_*/**", ".*")]
    everything = list_commits(repository)
    reachable = set(call_git_lines(["rev-list", "--all"], cwd=repository))
    lost = [commit for commit in everything if commit not in reachable]
    roots = "".join(f"{commit}\n" for commit in everything)
    log = ["log", "--stdin", "--no-walk=unsorted", "--format=%H", "-E"]
    messages = call_git_lines([*log, f"--grep={person.posix_word}"], cwd=repository, stdin=roots)
    both = ["--all-match", f"--grep={person.posix_word}", "--grep=Do not change lines below"]
    records = call_git_lines([*log, *both], cwd=repository, stdin=roots)
    walk = ["log", "--stdin", "--format=%H", "--full-history", "--", *named]
    paths = call_git_lines(walk, cwd=repository, stdin=roots) if everything else []
    refs = call_git_lines(["for-each-ref", "--format=%(refname)"], cwd=repository)
    texts: list[str] = []
    if head_of(repository, main):
        with contextlib.suppress(CommandError):  # it ends with 1 where it finds nothing
            out = call_git(
                ["grep", "-l", "-I", "-E", person.posix_word, main, "--"], cwd=repository
            )
            texts = [line.partition(":")[2] for line in out.splitlines()]
    return Remains(
        messages=messages,
        records=len(records),
        paths=paths,
        unreachable=len({*messages, *paths} & set(lost)),
        refs=[ref for ref in refs if person.word.search(ref)],
        reflogs=list(find_reflogs(repository, {*messages, *paths})),
        texts=texts,
    )


def find_reflogs(repository: Path, commits: set[str]) -> Iterator[str]:
    """Reflogs that lead to some commits."""
    git_dir = repository / ".git" if (repository / ".git").exists() else repository
    for path in sorted((git_dir / "logs").rglob("*")):
        if path.is_file():
            words = path.read_text(errors="replace").split()
            if not commits.isdisjoint(words):
                yield path.relative_to(git_dir / "logs").as_posix()


def list_holders(traces: Traces) -> dict[str, int]:
    """Other repositories that have content of a subject, by the location logs: name -> files."""
    output, found = traces.output, dict[str, int]()
    if not traces.keys:
        return found
    own = store_uuid(output.store, output.dataset)
    tree = root_tree(output.dataset, ANNEX_BRANCH)
    logs = read_logs(output.dataset, tree, sorted(map(log_path, traces.keys)))
    names = dict(list_repositories(output))
    for log in logs.values():
        for holder in list_present(log) - {own}:
            name = names.get(holder, holder)
            found[name] = found.get(name, 0) + 1
    return found


def list_clones(output: OutputDataset) -> list[str]:
    """Repositories that git-annex knows as clones of a dataset, without the store itself."""
    own = store_uuid(output.store, output.dataset)
    return sorted(name for uuid, name in list_repositories(output) if uuid not in (own, *BUILT_IN))


def list_repositories(output: OutputDataset) -> Iterator[tuple[str, str]]:
    """Id and name of each repository that git-annex knows of, but for this clone."""
    known = json.loads(call_annex(["info", "--fast", "--json"], cwd=output.dataset))
    for kind in ("trusted", "semitrusted", "untrusted"):
        for place in known.get(f"{kind} repositories", []):
            if not place["here"]:
                yield place["uuid"], place["description"] or place["uuid"]


def describe_remains(found: Remains) -> Iterator[str]:
    """What of a repository still names the subject, in words."""
    commits = sorted({*found.messages, *found.paths})
    if commits:
        yield (
            f"{len(commits)} commit(s) name it, {found.records} of them run records: "
            + a_few([commit[:10] for commit in commits], NAMED)
        )
    if found.unreachable:
        yield f"{found.unreachable} of these are on no branch; git gc removes them in time"
    if found.refs:
        yield f"branches: {a_few(found.refs, NAMED)}"
    if found.reflogs:
        yield f"reflogs: {a_few(found.reflogs, NAMED)}"
    if found.texts:
        yield f"texts in main that have its name in them: {a_few(found.texts, NAMED)}"


def named_repositories(outputs: Sequence[OutputDataset]) -> Iterator[tuple[Path, str]]:
    """Each repository that may name a subject, and what it calls the main of the store."""
    for output in outputs:
        if repository_of(output) != output.dataset:
            yield repository_of(output), MAIN
        yield output.dataset, f"{REMOTE}/{MAIN}"
