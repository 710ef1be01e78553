"""Branches without the history of a subject, and the commands that make a store of them.

`main` is written anew: its files are those of main, its history is the commits
of all other units' results.  So their run records stay, and a merge knows
them.  The branch `git-annex` starts anew, without the logs of what was removed.
These branches wait below `refs/bidsloom/renewed/` in the store; git takes
along what they lead to, and nothing else.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..base.runners import call_git
from ..config import Study
from ..datasets.annex import SUBDATASET
from ..datasets.branches import Entry
from ..datasets.locations import log_path
from ..datasets.output_datasets import OutputDataset
from ..datasets.pushes import ANNEX_BRANCH, push_refs
from ..datasets.stores import REMOTE, REMOTE_BASE
from ..datasets.trees import root_tree, write_tree
from ..merge.decisions import Found
from ..merge.mains import Place
from ..merge.write_main import PARENTS_PER_COMMIT, commit_tree
from ..units.unit import GROUP
from .person import Person
from .take_out import changes_without, trees_with
from .traces import Traces

RENEWED = "refs/bidsloom/renewed"
# $1: a store.  What git fetches is all that the new one has; content and settings are moved.
RENEW = f"""\
renew() {{
    new=$1.renewed old=$1.before
    # Done already, by an earlier call of this script.
    git -C "$1" rev-parse -q --verify {RENEWED}/main > /dev/null || return 0
    shared=$(git -C "$1" config --default umask core.sharedRepository)
    git init -q --bare --shared="$shared" --initial-branch main "$new"
    chgrp -R --reference="$1" "$new" || :
    git -C "$new" fetch -q --no-tags "$1" base:base \\
        {RENEWED}/main:main {RENEWED}/git-annex:git-annex \\
        '+refs/heads/job/*:refs/heads/job/*' \\
        '+refs/heads/incomplete/*:refs/heads/incomplete/*' \\
        '+refs/heads/accepted/*:refs/heads/accepted/*'
    git -C "$new" fsck --connectivity-only
    cp -a "$1/config" "$new/config"
    mkdir -p "$new/annex"
    for part in annex/objects archives error_logs hooks ria-layout-version; do
        if [ -e "$1/$part" ]; then rm -rf "$new/$part"; mv "$1/$part" "$new/$part"; fi
    done
    mv "$1" "$old"
    mv "$new" "$1"
    chmod -R u+w "$old"
    rm -rf "$old"
}}
"""


def write_renewed(study: Study, found: Found, traces: Mapping[str, Traces], person: Person) -> None:
    """Write the renewed branches of every dataset, and push them to its store.

    The group's result is left out: it starts from main, and so from the
    subject's results.  It is computed again.
    """
    group = [GROUP] if GROUP in found.ledger else []
    trees = trees_with(found, changes_without(study, found, group))
    *further, output = found.places
    mains: dict[str, str] = {}
    for place in [*further, output]:
        links: dict[str, Entry | None] = {
            path: Entry(SUBDATASET, commit) for path, commit in mains.items()
        }
        clone = place.target.dataset
        tree = trees[place.path]
        if links and not place.path:
            tree = write_tree(clone, tree, links)
        mains[place.path] = renewed_main(place, person, tree)
        annex = renewed_annex(clone, traces[place.path].keys)
        push_refs(
            [REMOTE, f"+{mains[place.path]}:{RENEWED}/main", f"+{annex}:{RENEWED}/git-annex"],
            cwd=clone,
        )


def renewed_main(place: Place, person: Person, tree: str) -> str:
    """Main with the files of a tree, on the commits of all other units' results alone."""
    clone = place.target.dataset
    others = [
        (unit, result.commit)
        for unit, result in sorted(place.ledger.items())
        if unit != GROUP and not person.owns(unit)
    ]
    commit = call_git(["rev-parse", REMOTE_BASE], cwd=clone)
    for start in range(0, max(len(others), 1), PARENTS_PER_COMMIT):
        chunk = others[start : start + PARENTS_PER_COMMIT]
        units = [unit for unit, _ in chunk]
        what = f": {units[0]} to {units[-1]}" if units else ""
        message = f"Merge {len(chunk)} unit(s){what}"
        commit = commit_tree(clone, tree, [commit, *(c for _, c in chunk)], message)
    return commit


def renewed_annex(clone: Path, keys: Iterable[str]) -> str:
    """The branch git-annex without history, and without the logs of some keys."""
    tree = root_tree(clone, ANNEX_BRANCH)
    gone: dict[str, Entry | None] = dict.fromkeys(map(log_path, keys))
    tree = write_tree(clone, tree, gone) if gone else tree
    return commit_tree(clone, tree, [], "update")


def renewal_commands(study: Study, outputs: Iterable[OutputDataset]) -> Iterator[str]:
    """A script, for a shell, that puts stores without the subject in place of the old ones."""
    outputs = list(outputs)
    yield "# Makes the output stores anew, without the history of those who were erased."
    yield "# Nothing of the study may run meanwhile."
    yield "set -e"
    yield RENEW.rstrip()
    for output in outputs:
        yield f"# {output.store.url}"
        yield from store_commands(output)
    yield "# The study's own clones have the old history; they are made anew."
    clones = [*(output.dataset for output in outputs), study.files.export_clone]
    yield f"for clone in {' '.join(map(quoted, clones))}; do"
    yield '    if [ -d "$clone" ]; then chmod -R u+w "$clone"; rm -rf "$clone"; fi'
    yield "done"
    # The group's result has no commit in the new history; it is computed again.
    notes = [study.files.prepared, study.files.record(GROUP), study.files.group_merged]
    yield f"rm -f {' '.join(map(quoted, notes))}"
    yield "echo 'Next: snakemake --cores 1 prepare_study list_subjects, and then as always.'"


def store_commands(output: OutputDataset) -> Iterator[str]:
    """The commands for one store."""
    store, clone = output.store, quoted(output.dataset)
    if store.repository:
        # An alias of a RIA store is a link.
        yield f"renew {quoted(store.repository.resolve())}"
        return
    url = quoted(store.git_url)
    yield f"git -C {clone} fetch -q {url} '+{RENEWED}/*:{RENEWED}/*'"
    yield (
        f"git -C {clone} push -q --force {url} {RENEWED}/main:main "
        f"{RENEWED}/git-annex:git-annex :{RENEWED}/main :{RENEWED}/git-annex"
    )
    yield "# On that server: git reflog expire --expire=now --all && git gc --prune=now"


def quoted(path: Path | str) -> str:
    """A path, for a shell."""
    return shlex.quote(str(path))
