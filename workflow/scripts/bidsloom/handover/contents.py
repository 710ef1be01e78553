"""Which files are exported: what main holds, subject by subject.

Files whose path names a subject belong to that subject's group, all others to
the group `dataset`.  A group is read only where something of it changed, so
that the memory does not grow with the number of files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..base.batching import in_batches
from ..base.errors import WorkflowFailure
from ..base.files import digest
from ..base.patterns import to_regex
from ..config import Study
from ..datasets.annex import FOLDER, SUBDATASET, SYMLINK, entry_key, known_size
from ..datasets.branches import Entry, head_of, read_stand_ins
from ..datasets.output_datasets import OutputDataset, list_outputs, owner_of
from ..datasets.stored_files import blob_sizes
from ..datasets.stores import REMOTE_MAIN
from ..datasets.trees import TREES_PER_READ, read_entries, read_trees, root_tree
from ..units.unit import LABEL

# The group of files that are of no subject.
SHARED = "dataset"
SUBJECT = re.compile(rf"(?:^|/)(sub-{LABEL})(?=[/_.]|$)")
EXECUTABLE = "100755"
# A link may lead to a link, and so on.
LINKS_IN_A_ROW = 8


@dataclass(frozen=True)
class Part:
    """A dataset of which something is exported.

    `root` is its tree, `inside` the folder of it that is exported (empty for
    all), and `outside` where that is in what is exported.
    """

    output: OutputDataset
    root: str
    inside: str
    outside: str


class Found(NamedTuple):
    """An entry of a dataset's tree: its group, its path in the export, and in the dataset."""

    group: str
    path: str
    origin: str
    entry: Entry


@dataclass(frozen=True)
class ExportedFile:
    """A file to be exported; `blob` names git's object where git itself holds it.

    `size` is None where the key does not say it.  Of a file in an archive,
    `packed_in` is the archive's key, and `member` its name there.
    """

    path: str
    key: str
    size: int | None
    entry: Entry
    output: OutputDataset
    blob: str = ""
    packed_in: str = ""
    member: str = ""

    @property
    def executable(self) -> bool:
        """Whether it is a program."""
        return self.entry.mode == EXECUTABLE


@dataclass
class Group:
    """The files of a subject, or of none, and links that lead to no file."""

    files: dict[str, ExportedFile] = field(default_factory=dict)
    lost_links: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Contents:
    """All that is exported: group -> part -> its files, and its folders as they are in git.

    `packed` says that the subjects' files are in archives.
    """

    main: str
    parts: Sequence[Part]
    groups: Mapping[str, Mapping[int, list[Found]]]
    left_out: Sequence[re.Pattern[str]]
    packed: bool = False

    def mark(self, group: str, form: str) -> str:
        """A digest of a group: another one means that something changed."""
        entries = sorted((f.path, *f.entry) for found in self.groups[group].values() for f in found)
        return digest([entries, [pattern.pattern for pattern in self.left_out], form])


def read_contents(study: Study) -> Contents:
    """What of main is exported, by its newest state in the study's clones.

    Raises `WorkflowFailure` where the output that is asked for does not exist.
    """
    parts = find_parts(study)
    groups: dict[str, dict[int, list[Found]]] = {}
    for number, part in enumerate(parts):
        for found in outline(part):
            groups.setdefault(found.group, {}).setdefault(number, []).append(found)
    main = head_of(parts[0].output.dataset, REMOTE_MAIN) or ""
    patterns = [to_regex(pattern) for pattern in study.export.leave_out]
    return Contents(main, parts, groups, patterns, packed=study.container.archive)


def find_parts(study: Study) -> list[Part]:
    """The datasets of which something is exported; that with the root comes first."""
    outputs, wanted = list_outputs(study), study.export.output
    if wanted and wanted not in study.container.outputs:
        raise WorkflowFailure(
            f"export.output is {wanted!r}, which is no output of the study.",
            hint=f"name one of these: {', '.join(study.container.outputs)}.",
        )
    main = outputs[-1]
    root = tree_of(main, REMOTE_MAIN)
    owner = owner_of(wanted, outputs) if wanted else main
    if owner is not main:
        return [Part(owner, tree_of(owner, registered(main, root, owner.path)), "", "")]
    parts = [Part(main, root, wanted, "")]
    for output in outputs[:-1]:
        if not wanted or output.path.startswith(f"{wanted}/"):
            tree = tree_of(output, registered(main, root, output.path))
            parts.append(Part(output, tree, "", output.path.removeprefix(f"{wanted}/")))
    return [part for part in parts if part.root]


def tree_of(output: OutputDataset, commit: str) -> str:
    """The tree of a commit; empty without one."""
    if not commit or not head_of(output.dataset, commit):
        return ""
    return root_tree(output.dataset, commit)


def registered(main: OutputDataset, root: str, path: str) -> str:
    """The commit of a subdataset that a tree registers; empty for none."""
    entry = read_entries(main.dataset, root, [path]).get(path)
    return entry.blob if entry and entry.mode == SUBDATASET else ""


def group_of(path: str) -> str:
    """The subject that a path names first, else the group of the others."""
    found = SUBJECT.search(path)
    return found[1] if found else SHARED


def is_own(name: str) -> bool:
    """Whether a name is one of git's or DataLad's own."""
    return name.startswith(".git") or name == ".datalad"


def outline(part: Part) -> Iterator[Found]:
    """The files of no subject, and of each subject what names it first: files and folders."""
    tree = part.root
    if part.inside:
        entry = read_entries(part.output.dataset, tree, [part.inside]).get(part.inside)
        if entry is None or entry.mode != FOLDER:
            return
        tree = entry.blob
    level = [Found(SHARED, part.outside, part.inside, Entry(FOLDER, tree))]
    while level:
        below = open_folders(part.output.dataset, level)
        level = []
        for found in below:
            group = group_of(found.path)
            if found.entry.mode == FOLDER and group == SHARED:
                level.append(found)
            else:
                yield found._replace(group=group)


def open_folders(repository: Path, folders: Iterable[Found]) -> Iterator[Found]:
    """What some folders hold, one level deep, without git's own files and without subdatasets."""
    for batch in in_batches(folders, TREES_PER_READ):
        trees = read_trees(repository, (found.entry.blob for found in batch))
        for found in batch:
            for name, entry in trees[found.entry.blob].items():
                if entry.mode != SUBDATASET and not is_own(name):
                    path = f"{found.path}/{name}" if found.path else name
                    origin = f"{found.origin}/{name}" if found.origin else name
                    yield Found(found.group, path, origin, entry)


def list_files(repository: Path, level: Iterable[Found]) -> list[Found]:
    """The files among some entries, and all files below their folders."""
    files, level = [], list(level)
    while level:
        files += [found for found in level if found.entry.mode != FOLDER]
        level = list(open_folders(repository, (f for f in level if f.entry.mode == FOLDER)))
    return files


def read_groups(contents: Contents, names: Iterable[str]) -> dict[str, Group]:
    """Group -> its files, without those that are left out; links are replaced by their files."""
    groups = {name: Group() for name in names}
    for number, part in enumerate(contents.parts):
        own = [f for name in groups for f in contents.groups[name].get(number, ())]
        read_part(contents, part, own, groups)
    return groups


def read_part(
    contents: Contents, part: Part, own: Iterable[Found], groups: Mapping[str, Group]
) -> None:
    """Add the files of a part to their groups."""
    repository = part.output.dataset
    pending = list_files(repository, own)
    plain: dict[str, Found] = {}
    for _ in range(LINKS_IN_A_ROW):
        pending = [f for f in pending if not any(p.match(f.path) for p in contents.left_out)]
        stand_ins = read_stand_ins(repository, (found.entry for found in pending))
        links: dict[str, tuple[Found, str]] = {}
        for found in pending:
            text = stand_ins.get(found.entry.blob)
            key = entry_key(found.entry.mode, text) if text is not None else None
            if key:
                file = ExportedFile(found.path, key, known_size(key), found.entry, part.output)
                groups[found.group].files[found.path] = file
            elif found.entry.mode == SYMLINK:
                links[found.path] = found, os.fsdecode(text or b"")
            else:
                plain[found.path] = found
        if not links:
            break
        led = follow_links(part, links)
        for path in links.keys() - led.keys():
            groups[links[path][0].group].lost_links.append(path)
        pending = list_files(repository, led.values())
    else:
        for found in pending:
            groups[found.group].lost_links.append(found.path)
    sizes = blob_sizes(repository, (found.entry.blob for found in plain.values()))
    for path, found in plain.items():
        blob = found.entry.blob
        file = ExportedFile(path, f"GIT--{blob}", sizes[blob], found.entry, part.output, blob)
        groups[found.group].files[path] = file


def follow_links(part: Part, links: Mapping[str, tuple[Found, str]]) -> dict[str, Found]:
    """Path of a link -> what it leads to inside of its dataset; others are left out."""
    targets = {}
    for path, (found, text) in links.items():
        target = os.path.normpath(f"{found.origin}/../{text}")
        inside = not text.startswith("/") and target.partition("/")[0] not in ("..", ".")
        # A folder that holds its own link would be opened for ever.
        around = f"{found.origin}/".startswith(f"{target}/")
        if text and inside and not around and not any(map(is_own, target.split("/"))):
            targets[path] = target
    entries = read_entries(part.output.dataset, part.root, targets.values())
    return {
        path: links[path][0]._replace(origin=target, entry=entries[target])
        for path, target in targets.items()
        if target in entries and entries[target].mode != SUBDATASET
    }
