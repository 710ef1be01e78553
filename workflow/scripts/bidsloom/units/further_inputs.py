"""Further inputs: datasets beside the raw one, such as a derivative of it.

The part of a unit is chosen by names only.  So FreeSurfer's folders (`sub-01`,
`sub-01_ses-pre`, `fsaverage`) are found in the same way as those of BIDS
derivatives.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import digest
from ..base.runners import call_git_records
from ..base.text import a_few
from ..config import Study
from ..config.study import FurtherInput, join
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.clones import left_out_of
from .tree import digest_inherited
from .unit import LABEL, Unit

# How many folders are passed to one git command.
FOLDERS_PER_COMMAND = 1000
OWNER = re.compile(rf"sub-({LABEL})(?:_ses-({LABEL}))?(?=$|[_.])")


@dataclass(frozen=True)
class InputEntry:
    """A file or folder of a dataset, relative to its root."""

    path: str
    mode: str
    object_id: str

    @property
    def name(self) -> str:
        """Its name without its folder."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Taken:
    """A unit's part of a further input; `own` are the unit's own folders among the entries."""

    entries: tuple[InputEntry, ...]
    own: tuple[InputEntry, ...]

    @property
    def paths(self) -> list[str]:
        """All of it, relative to the dataset."""
        return [entry.path for entry in self.entries]

    def digest(self) -> str:
        """A digest of what the unit's result may depend on.

        Files at the root that describe the complete dataset do not count:
        they change with every subject that is added.
        """
        folders = [(e.path, e.object_id) for e in self.entries if e.mode == FOLDER]
        files = [(e.path, e.object_id) for e in self.entries if e.mode != FOLDER]
        return digest([folders, digest_inherited(files)])


@dataclass
class InputTree:
    """The root of a further input, sorted by subject, and the content of some subjects' folders."""

    general: list[InputEntry] = field(default_factory=list)
    of_subject: dict[str, list[InputEntry]] = field(default_factory=lambda: defaultdict(list))
    inside: dict[str, list[InputEntry]] = field(default_factory=lambda: defaultdict(list))

    def taken_by(self, unit: Unit) -> Taken:
        """A unit's part."""
        root = [*self.general, *self.of_subject.get(unit.subject, ())]
        return choose_entries(unit, root=root, inside=self.inside.get(unit.subject, ()))


def choose_entries(
    unit: Unit, *, root: Iterable[InputEntry], inside: Iterable[InputEntry]
) -> Taken:
    """A unit's part of a dataset's root, and of its subject's folder there (`inside`).

    A session unit gets the folder of its session and everything beside the
    session folders; where the subject's folder has no sessions, all of it.
    """
    inside = list(inside)
    by_session = any(entry.name.startswith("ses-") for entry in inside)
    entries, own = [], []
    for entry in root:
        owner = OWNER.match(entry.name) if "/" not in entry.path else None
        if owner is None:
            entries.append(entry)
            continue
        subject, session = owner.groups()
        if subject != unit.subject or (unit.session and session not in (None, unit.session)):
            continue
        if entry.name == f"sub-{subject}" and unit.session and by_session:
            session_folder = [e for e in inside if e.name == f"ses-{unit.session}"]
            entries += [e for e in inside if not e.name.startswith("ses-")] + session_folder
            own += session_folder
            continue
        entries.append(entry)
        if entry.mode == FOLDER:
            own.append(entry)
    return Taken(tuple(entries), tuple(own))


def read_input_tree(
    further: FurtherInput, commit: str, *, subjects: Iterable[str] | None = None
) -> InputTree:
    """A further input's root at a commit, and the content of some subjects' folders.

    Raises `WorkflowFailure` where one of its `shared_paths` is missing.
    """
    tree = InputTree()
    root = read_entries(further.clone, further.tree(commit), [])
    for entry in root:
        owner = OWNER.match(entry.name)
        if owner and entry.mode != SUBDATASET:
            tree.of_subject[owner[1]].append(entry)
        elif entry.mode not in (FOLDER, SUBDATASET) and not entry.name.startswith(".git"):
            tree.general.append(entry)
    if not tree.of_subject and further.required and not further.folder:
        refuse_study(further, commit)
    shared = (
        read_entries(further.clone, further.tree(commit), further.shared) if further.shared else []
    )
    if missing := set(further.shared) - {entry.path for entry in shared}:
        raise WorkflowFailure(
            f"{', '.join(sorted(missing))} of shared_paths is not in {further.url} at "
            f"{commit[:10]}, the further input {further.path}.",
            hint=f"list its files: git -C '{further.clone}' ls-tree --name-only {commit}",
        )
    known = {entry.path for entry in tree.general}
    tree.general += [entry for entry in shared if entry.path not in known]
    folders = [f"sub-{subject}/" for subject in subjects or () if tree.of_subject.get(subject)]
    for start in range(0, len(folders), FOLDERS_PER_COMMAND):
        chunk = folders[start : start + FOLDERS_PER_COMMAND]
        for entry in read_entries(further.clone, further.tree(commit), chunk):
            subject = entry.path.partition("/")[0].removeprefix("sub-")
            tree.inside[subject].append(entry)
    return tree


def refuse_study(further: FurtherInput, commit: str) -> None:
    """Refuse a dataset without subjects, if it has results of other apps: which ones are meant?"""
    found = read_entries(further.clone, commit, ["derivatives/"])
    if names := [entry.path for entry in found if entry.mode == FOLDER]:
        raise WorkflowFailure(
            f"The further input {further.url} has no subjects at its root, but has "
            f"{a_few(names, 5)}.",
            hint=f"set folder of this entry of datalad.inputs, for example folder: {names[0]}.",
        )


def read_entries(repository: Path, commit: str, paths: Iterable[str]) -> list[InputEntry]:
    """Entries of a commit's root, or at some paths (with a final slash: inside these folders).

    With `commit:folder` they are those of that folder, and relative to it.
    """
    entries = []
    command = ["--literal-pathspecs", "ls-tree", "-z", commit, "--", *paths]
    for record in call_git_records(command, cwd=repository):
        head, _, path = record.partition("\t")
        mode, _, object_id = head.split()
        entries.append(InputEntry(path, mode, object_id))
    return entries


def taken_paths(further: FurtherInput, commit: str, unit: Unit) -> list[str]:
    """Paths of one unit's part of a further input, relative to that dataset.

    Raises `WorkflowFailure` where one of its `shared_paths` is missing.
    """
    return take_of_unit(further, commit, unit).paths


def take_of_unit(further: FurtherInput, commit: str, unit: Unit) -> Taken:
    """One unit's part of a further input.

    A dataset of one subject may be the subject's folder itself; then all of it
    is the unit's, but for folders of other sessions.

    Raises `WorkflowFailure` where one of its `shared_paths` is missing.
    """
    if further.is_pattern:
        further = further.of(unit.subject)
        root = read_entries(further.clone, further.tree(commit), [])
        if not holds_subject(root, unit.subject):
            return take_whole(root, unit)
    subjects = [unit.subject] if unit.session else None
    return read_input_tree(further, commit, subjects=subjects).taken_by(unit)


def holds_subject(root: Iterable[InputEntry], subject: str) -> bool:
    """Whether a dataset has a folder of a subject."""
    return any((match := OWNER.match(e.name)) and match[1] == subject for e in root)


def take_whole(root: Iterable[InputEntry], unit: Unit) -> Taken:
    """A unit's part of a dataset that is its subject's folder."""
    entries = [entry for entry in root if not entry.name.startswith(".")]
    sessions = [entry for entry in entries if entry.name.startswith("ses-")]
    if unit.session and sessions:
        own = [entry for entry in sessions if entry.name == f"ses-{unit.session}"]
        beside = [entry for entry in entries if entry not in sessions]
        return Taken((*beside, *own), tuple(own))
    return Taken(tuple(entries), tuple(entry for entry in entries if entry.mode == FOLDER))


def named_path(further: FurtherInput, commit: str, unit: Unit) -> str:
    """What the app is told of a further input: the folder that has the subject's folder."""
    one = further.of(unit.subject).at_session(unit.session)
    if further.is_pattern:
        root = read_entries(one.clone, one.tree(commit), [])
        if not holds_subject(root, unit.subject):
            return further.path
    return join(one.path, one.folder)


def known_inputs(study: Study, commits: Mapping[str, str]) -> list[FurtherInput]:
    """The further inputs whose commits are known; of a pattern, the datasets of its subjects."""
    found = []
    for further in study.further_inputs:
        prefix = f"{further.path}/sub-"
        if further.is_pattern:
            labels = (p.removeprefix(prefix) for p in commits if p.startswith(prefix))
            found += [further.of(label) for label in labels if "/" not in label]
        elif further.path in commits:
            found.append(further)
    return found


def join_further(
    units: Iterable[Unit], study: Study, commits: Mapping[str, str]
) -> tuple[list[Unit], list[tuple[str, str]]]:
    """The units with their parts of each further input; and (unit, reason) of those left out.

    A unit that has no folder in a required further input is left out.

    Raises `WorkflowFailure` where a further input lacks one of its
    `shared_paths`.
    """
    joined = list(units)
    left: dict[str, str] = {}
    by_session = sorted({unit.subject for unit in joined if unit.session})
    for further in study.further_inputs:
        if further.producer:
            continue  # its results are looked at one by one (`offers`)
        tree = InputTree()
        if not further.is_pattern:
            tree = read_input_tree(further, commits[further.path], subjects=by_session)
        for n, unit in enumerate(joined):
            path = further.of(unit.subject).path
            taken = tree.taken_by(unit)
            if further.is_pattern and path in commits:
                taken = take_of_unit(further, commits[path], unit)
            if taken.own:
                joined[n] = replace(unit, further=(*unit.further, (path, taken.digest())))
            elif further.required:
                why = left_out_of(further.of(unit.subject).clone).get(f"sub-{unit.subject}", "")
                reason = f"absent from the further input {further.path}"
                left.setdefault(unit.name, reason + (why and f": {why}"))
    return [unit for unit in joined if unit.name not in left], sorted(left.items())
