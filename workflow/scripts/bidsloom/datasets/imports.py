"""Plain folders as datasets: imported by git-annex, without a copy and without a write into them.

A dataset beside the studies holds names, keys and small text files; a special
remote of it knows the folder, and gets content from there.  The dataset has a
commit for each state of the folder that was seen.  Content of files that have
changed since is nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import read_json, remove_tree, write_json
from ..base.runners import call_annex, call_git, call_git_lines, call_git_success
from ..base.space import no_space, says_full
from ..base.text import a_few, printable
from .annex import SYMLINK
from .branches import Entry, head_of
from .folders import (
    RootEntry,
    changed_parts,
    import_filter,
    look_into,
    plain_folder,
    state_of,
)
from .locks import locked
from .repositories import lock_files
from .stores import MAIN, last_line
from .trees import root_tree, write_blob, write_tree

# The special remote in an imported dataset and its clones.
FOLDER_REMOTE = "bidsloom-folder"
TRACKING = f"refs/remotes/{FOLDER_REMOTE}/{MAIN}"
# What git keeps, so that it can be read without the folder: small texts of BIDS.
TEXTS = (
    *("*.json", "*.tsv", "*.bval", "*.bvec", "*.txt", "*.md", ".bidsignore"),
    *("README", "CHANGES", "LICENSE"),
)
LARGE_FILES = f"not (smallerthan=1MB and ({' or '.join(f'include={name}' for name in TEXTS)}))"
TRIES = 3
# In such a dataset: the state of the folder that was imported last.
MEMORY = Path(".git", "bidsloom-import.json")
CHANGED = "changed while it was imported"


@dataclass(frozen=True)
class InputSource:
    """Where an input is cloned from.

    Of an imported folder, `url` is the dataset that was made of it, `commit`
    its newest state, and `left_out` says why entries of the folder are not in it.
    """

    url: str
    commit: str = ""
    left_out: Mapping[str, str] = field(default_factory=dict)


def source_url(url: str, imports: Path) -> str:
    """What an input is cloned from and registered by: of a plain folder, its imported dataset."""
    folder = plain_folder(url)
    return str(place_of(folder, imports)) if folder else url


def place_of(folder: Path, imports: Path) -> Path:
    """Where the dataset of a folder is kept: by the folder's name, and a digest of its path."""
    path = os.path.realpath(folder)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", os.path.basename(path)).lstrip(".-") or "folder"
    return imports / f"{name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"


def open_source(url: str, imports: Path, *, key: str, skip: Collection[str] = ()) -> InputSource:
    """Where an input is cloned from; a plain folder is imported first, if it has changed.

    Raises `WorkflowFailure` where it cannot be imported.
    """
    folder = plain_folder(url)
    if folder is None:
        return InputSource(url)
    place = place_of(folder, imports)
    if place.resolve().is_relative_to(folder.resolve()):
        raise WorkflowFailure(
            f"The dataset of {key} {folder} would be kept inside of that folder, in {place}.",
            hint="start snakemake in another folder, or set datalad.import_folder to one.",
        )
    if imports.exists() and not os.access(imports, os.W_OK):
        return read_import(folder, place, key=key, skip=skip)
    with locked(place.with_name(f"{place.name}.lock")):
        return import_folder(folder, place, key=key, skip=skip)


def read_import(folder: Path, place: Path, *, key: str, skip: Collection[str]) -> InputSource:
    """The dataset of a folder, as a colleague made it, who alone can change it.

    Raises `WorkflowFailure` where the folder has changed since.
    """
    known = known_import(place, look(folder, key=key, skip=skip))
    if known is None:
        raise WorkflowFailure(
            f"{folder} ({key}) has changed since it was imported into {place.parent}, which you "
            "cannot write to.",
            hint="ask the owner of that folder to start the study once, or set "
            "datalad.import_folder to a folder of your own.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
    return known


def look(folder: Path, *, key: str, skip: Collection[str]) -> dict[str, RootEntry]:
    """What a folder holds.  Raises `WorkflowFailure` where it cannot be read."""
    try:
        return look_into(folder, skip=skip)
    except OSError as e:
        raise unreadable(folder, str(e.strerror), key) from e


def known_import(place: Path, parts: Mapping[str, RootEntry]) -> InputSource | None:
    """The dataset of a folder, if the folder is as it was when it was imported last."""
    known = read_json(place / MEMORY) or {}
    if known.get("state") != state_of(parts):
        return None
    return InputSource(str(place), known["commit"], known["left_out"])


def import_folder(
    folder: Path, place: Path, *, key: str, skip: Collection[str] = ()
) -> InputSource:
    """Bring the dataset of a folder up to date with it.

    An entry of the folder that cannot be read completely, or that changes
    meanwhile, is left out.  A folder that did not change since costs no more
    than a look at its files.

    Raises `WorkflowFailure` where nothing can be imported.
    """
    parts = look(folder, key=key, skip=skip)
    if known := known_import(place, parts):
        return known
    print(f"bidsloom: importing {folder} as the dataset {place}", file=sys.stderr)
    open_repository(folder, place)
    left_out = {name: part.fault for name, part in parts.items() if part.faults}
    for _ in range(TRIES):
        failed = take_in(place, {*left_out, *skip})
        after = look(folder, key=key, skip=skip)
        if changed := changed_parts(parts, after):
            left_out |= dict.fromkeys(changed, CHANGED)
        if failed is None:
            break
        named = files_named(folder, failed.stderr)
        if not changed and not named.keys() - left_out.keys():
            raise import_failure(folder, place, failed, key)
        left_out |= {name: why for name, why in named.items() if name not in left_out}
        parts = after
    else:
        raise WorkflowFailure(
            f"{folder} ({key}) changes while it is imported: "
            f"{a_few([printable(name) for name in sorted(left_out)], 5)}.",
            hint="start again once nothing is written there.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
    commit = commit_import(folder, place, after, without={*left_out, *skip})
    # What was left out for the moment is looked at again, though its files stay as they are.
    passing = any(not after[name].faults for name in left_out if name in after)
    write_json(
        place / MEMORY,
        {"state": None if passing else state_of(after), "commit": commit, "left_out": left_out},
    )
    return InputSource(str(place), commit, left_out)


def open_repository(folder: Path, place: Path) -> None:
    """Make the dataset of a folder where it is missing; what a killed git left is removed."""
    if place.exists():
        for lock in lock_files(place / ".git"):
            with contextlib.suppress(OSError):
                lock.unlink()
        return
    new = place.with_name(f".{place.name}.making")
    if new.exists():
        remove_tree(new)
    new.parent.mkdir(parents=True, exist_ok=True)
    call_git(["init", "-q", "--initial-branch", MAIN, str(new)], cwd=new.parent)
    call_annex(["init", "-q", f"names and keys of {folder}"], cwd=new)
    call_git(["config", "annex.largefiles", LARGE_FILES], cwd=new)
    # Not by autoenable: git-annex does not note the folder's path in the dataset.
    # By ignoreinodes, a file is the same one on each node, and after the next mount.
    call_annex(
        ["initremote", "-q", FOLDER_REMOTE, "type=directory", f"directory={folder}"]
        + ["encryption=none", "importtree=yes", "exporttree=no", "ignoreinodes=yes"],
        cwd=new,
    )
    new.rename(place)


def take_in(place: Path, without: Collection[str]) -> CommandError | None:
    """Import the folder's newest state; returns the error where some files could not be."""
    call_annex(["wanted", "-q", FOLDER_REMOTE, import_filter(without)], cwd=place)
    try:
        call_annex(["import", "-q", MAIN, "--from", FOLDER_REMOTE, "--no-content"], cwd=place)
    except CommandError as e:
        return e
    return None


def files_named(folder: Path, said: str) -> dict[str, str]:
    """Entry of the folder -> what git-annex says of a file in it, in its error messages."""
    found: dict[str, str] = {}
    for line in said.splitlines():
        path, separator, why = line.strip().partition(": ")
        inside = path.removeprefix(f"{folder}/")
        if separator and inside != path:
            found.setdefault(inside.partition("/")[0], f"{printable(inside)}: {why}")
    return found


def commit_import(
    folder: Path, place: Path, parts: Mapping[str, RootEntry], *, without: Collection[str]
) -> str:
    """The commit of what was imported, with links inside the folder's entries.

    git-annex keeps an earlier state of what it was told to leave out; we do not.
    """
    seen = head_of(place, TRACKING)
    known = root_tree(place, seen) if seen else call_git(["mktree"], cwd=place)
    links = {
        path: Entry(SYMLINK, write_blob(place, target))
        for name, part in parts.items()
        if name not in without
        for path, target in part.links.items()
    }
    changes = {**dict.fromkeys(without), **links}
    tree = write_tree(place, known, changes)
    head = head_of(place, MAIN)
    if head and root_tree(place, head) == tree:
        return head
    parent = ["-p", head] if head else []
    message = ["-m", f"Import {folder}"]
    commit = call_git(["commit-tree", *parent, *message, tree], cwd=place)
    call_git(["update-ref", f"refs/heads/{MAIN}", commit], cwd=place)
    return commit


def is_import(clone: Path) -> bool:
    """True for the dataset of a folder, and for a clone of it that knows the folder."""
    return call_git_success(["config", f"remote.{FOLDER_REMOTE}.annex-directory"], cwd=clone)


def connect_folder(source: Path, clone: Path) -> None:
    """Let a clone get content from the folder that its dataset, `source`, was imported from."""
    pattern = rf"^remote\.{FOLDER_REMOTE}\."
    try:
        lines = call_git_lines(["config", "--local", "--get-regexp", pattern], cwd=source)
    except CommandError:
        return  # no import
    for key, _, value in (line.partition(" ") for line in lines):
        call_git(["config", key, value], cwd=clone)
    # git-annex gets nothing from a special remote that another repository made and
    # that is unverified; this one is the folder that the config names.
    call_git(["config", f"remote.{FOLDER_REMOTE}.annex-verified", "verified"], cwd=clone)


def unreadable(folder: Path, why: str, key: str) -> WorkflowFailure:
    """The failure of a folder that cannot be listed."""
    return WorkflowFailure(
        f"The folder {folder} ({key}) cannot be read: {why}.",
        hint="ask its owner to let you read it.",
        failure_class=FailureClass.INPUT_UNAVAILABLE,
    )


def import_failure(folder: Path, place: Path, error: CommandError, key: str) -> WorkflowFailure:
    """The failure of an import, with git-annex' own words."""
    if says_full(error):
        return no_space(f"Importing {folder}", place)
    return WorkflowFailure(
        f"The folder {folder} ({key}) cannot be imported into {place}: {last_line(error.stderr)}",
        hint="see what git-annex says, in that dataset: "
        f"git annex import {MAIN} --from {FOLDER_REMOTE} --no-content",
        failure_class=FailureClass.INPUT_UNAVAILABLE,
    )
