"""Export to a git-annex special remote, by `git annex export`.

git-annex remembers what it exported in a clone of the output dataset that is
for this alone, `results/<study>/export`.  So nothing of an export is written
to the output store.
"""

from __future__ import annotations

import stat
import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..base.batching import in_batches
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import digest
from ..base.runners import call_annex, call_git, call_git_records, call_git_success
from ..base.text import printable
from ..config import Study
from ..datasets.annex import FOLDER
from ..datasets.branches import Entry
from ..datasets.clones import clone_output
from ..datasets.fetches import fetch_output
from ..datasets.locks import exclusive
from ..datasets.output_datasets import OutputDataset
from ..datasets.stores import StoreKind, last_line, store_uuid
from ..datasets.trees import read_entries, write_tree
from ..records.export_outcome import ExportOutcome, read_export_outcome
from .contents import SHARED, Contents, ExportedFile, group_of, read_groups

GROUPS_AT_ONCE = 50
KEYS_AT_ONCE = 20_000


@dataclass(frozen=True)
class RemoteExport:
    """A special remote that is exported to; `clone` is where git-annex knows it by its name."""

    clone: Path
    name: str
    settings: tuple[tuple[str, str], ...]

    @property
    def folder(self) -> Path | None:
        """The folder of a special remote that is one."""
        named = dict(self.settings)
        return Path(named["directory"]) if named.get("type") == "directory" else None

    def __str__(self) -> str:
        return " ".join(f"{key}={value}" for key, value in self.settings)


def export_to_remote(study: Study, contents: Contents, dataset: str) -> ExportOutcome:
    """Bring a special remote up to date, ask it for what changed, and return what was done.

    Raises `WorkflowFailure` where it cannot be set up, or not be asked.
    """
    remote, sources = open_remote(study, contents, dataset)
    tree, lost_links = write_export_tree(remote.clone, contents)
    before = read_export_outcome(study)
    known = before.tree if before and before.complete and before.to == str(remote) else ""
    outcome = ExportOutcome(to=str(remote), main=contents.main, tree=tree)
    if known == tree and not study.export.check_content:
        assert before is not None
        return replace(before, main=contents.main, copied=0, copied_bytes=0, removed=0)
    written = changed = changed_paths(remote.clone, known, tree)
    if study.export.check_content:
        changed = changed_paths(remote.clone, "", tree)
    files = list(list_exported(contents, changed))
    if study.export.check_content:
        renew_damaged(remote, tree, files, sources)
    again, missing, said = export_and_ask(remote, tree, files, sources)
    written |= again
    removed = changed_paths(remote.clone, known, tree, kind="D") if known else set()
    return replace(
        outcome,
        complete=not missing,
        files=len(files),
        bytes=sum(file.size or 0 for file in files),
        copied=len(written - missing),
        copied_bytes=sum(f.size or 0 for f in files if f.path in written - missing),
        removed=len(removed),
        missing={
            printable(path): said or "the special remote does not have it" for path in missing
        },
        lost_links=tuple(map(printable, lost_links)),
    )


def open_remote(study: Study, contents: Contents, dataset: str) -> tuple[RemoteExport, list[str]]:
    """The special remote, set up where it is new, and the remotes that content comes from."""
    first, *further = contents.parts
    place = study.files.export_clone / (first.output.path or "dataset")
    output = replace(first.output, dataset=place)
    settings = study.export.remote
    remote = RemoteExport(place, f"export-{digest([settings, study.export.output])}", settings)
    with exclusive(study):
        clone_output(output, study)
        fetch_output(output)
        sources = [output.store.content_remote]
        for number, part in enumerate(further):
            sources.append(connect_further(place, part.output, f"further-{number}"))
        try:
            call_annex(["merge", "-q"], cwd=place)
            if not call_git_success(["config", f"remote.{remote.name}.annex-uuid"], cwd=place):
                refuse_used_folder(remote.folder)
                init_remote(remote, dataset)
        except (CommandError, OSError) as e:
            said = last_line(e.stderr) if isinstance(e, CommandError) else str(e)
            raise WorkflowFailure(
                f"The special remote of export.remote ({remote}) cannot be set up: {said}",
                hint="check its settings, and the credentials in the environment; "
                "git annex help initremote describes them.",
                failure_class=FailureClass.STORE_UNAVAILABLE,
            ) from e
    return remote, sources


def init_remote(remote: RemoteExport, dataset: str) -> None:
    """Set up a special remote; it has the same identity where its clone was lost."""
    own = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset} {remote}"))
    settings = [f"{key}={value}" for key, value in remote.settings if key != "encryption"]
    common = [*settings, "exporttree=yes", "encryption=none"]
    call_annex(["initremote", remote.name, *common, f"uuid={own}"], cwd=remote.clone)


def refuse_used_folder(folder: Path | None) -> None:
    """Make the folder of a special remote that is one; refuse one that holds something."""
    if folder is None:
        return
    if folder.exists() and any(folder.iterdir()):
        raise WorkflowFailure(
            f"{folder} (export.remote) is not empty, and no export of this study is known there.",
            hint="name a new or an empty folder; nothing was written there.",
        )
    folder.mkdir(parents=True, exist_ok=True)


def connect_further(clone: Path, output: OutputDataset, name: str) -> str:
    """Make a further output's files and content known to a clone; returns the remote's name."""
    store = output.store
    if store.kind is StoreKind.RIA or store.content:
        raise WorkflowFailure(
            f"The output {output.path}, whose content is at a special remote of {store.url}, "
            "cannot be exported to a special remote together with others.",
            hint=f"export it by itself, with export.output: {output.path}; or use export.to.",
        )
    heads = f"+refs/heads/*:refs/remotes/{name}/*"
    for key, value in (("url", store.git_url), ("fetch", heads)):
        call_git(["config", "--replace-all", f"remote.{name}.{key}", value], cwd=clone)
    if store.holds_objects:
        known = store_uuid(store, output.dataset)
        call_git(["config", f"remote.{name}.annex-uuid", known], cwd=clone)
    call_git(["fetch", "-q", "--no-tags", name], cwd=clone)
    return name


def write_export_tree(clone: Path, contents: Contents) -> tuple[str, list[str]]:
    """The tree of all that is exported, written to a clone, and links that lead to no file."""
    lost: list[str] = []
    empty = call_git(["mktree"], cwd=clone, stdin="")
    entries: dict[str, Entry | None] = {}
    for batch in in_batches(sorted(contents.groups), GROUPS_AT_ONCE):
        inner: dict[str, Entry | None] = {}
        folders: set[str] = set()
        for name, group in read_groups(contents, batch).items():
            lost += group.lost_links
            own = [f for found in contents.groups[name].values() for f in found]
            tops = [f.path for f in own if f.entry.mode == FOLDER]
            for path, file in group.files.items():
                top = next((top for top in tops if path.startswith(f"{top}/")), "")
                folders |= {top} if top else set()
                (inner if top else entries)[path] = file.entry
        if inner:
            entries |= read_entries(clone, write_tree(clone, empty, inner), folders)
    return write_tree(clone, empty, entries), sorted(lost)


def run_export(remote: RemoteExport, tree: str, sources: Iterable[str]) -> str:
    """Export a tree; returns git-annex' last words where something went wrong.

    Each source has a part of the content, so what it lacks is no failure yet:
    the special remote is asked afterwards.
    """
    said = ""
    for source in sources:
        command = ["export", tree, "--to", remote.name, "--from", source, "-q"]
        try:
            call_annex(command, cwd=remote.clone)
        except CommandError as e:
            said = last_line(e.stderr)
        else:
            return ""
    return said


def repeated_paths(files: Sequence[ExportedFile]) -> list[str]:
    """Paths of files whose content lies at another path, too: all of each but one."""
    kept = {file.key: file.path for file in files}
    return [file.path for file in files if kept[file.key] != file.path]


def renew_damaged(
    remote: RemoteExport, tree: str, files: Sequence[ExportedFile], sources: Iterable[str]
) -> None:
    """Export again what is damaged or missing at a special remote.

    git-annex looks for content at one of its paths; so the others are removed,
    and exported anew with the next export.
    """
    repeated = dict.fromkeys(repeated_paths(files))
    once = write_tree(remote.clone, tree, repeated)
    run_export(remote, once, sources)
    look_for_damage(remote, once)
    export_and_ask(remote, once, [f for f in files if f.path not in repeated], sources)


def export_and_ask(
    remote: RemoteExport, tree: str, files: Sequence[ExportedFile], sources: Iterable[str]
) -> tuple[set[str], set[str], str]:
    """Export a tree, and ask for files of it.

    Returns the paths that were exported twice, since the special remote did not
    have them, those that it still does not have, and git-annex' last words.
    """
    said = run_export(remote, tree, sources)
    missing = ask_for(remote, files)
    if not missing:
        return set(), set(), said
    # git-annex believes its own notes; without these files in them, it exports them again.
    run_export(remote, write_tree(remote.clone, tree, dict.fromkeys(missing)), sources)
    said = run_export(remote, tree, sources)
    return missing, ask_for(remote, [f for f in files if f.path in missing]), said


def look_for_damage(remote: RemoteExport, tree: str) -> None:
    """Let git-annex fetch all annexed content again; what is damaged it removes and notes so."""
    command = ["annex", "fsck", "-q", "--from", remote.name, "--branch", tree]
    call_git_success(command, cwd=remote.clone)


def ask_for(remote: RemoteExport, files: Iterable[ExportedFile]) -> set[str]:
    """Paths of those files that the special remote does not have.

    It is asked for content, which it may have at several paths; a folder is
    asked for each path.

    Raises `WorkflowFailure` where it does not answer.
    """
    missing: set[str] = set()
    if folder := remote.folder:
        return {file.path for file in files if not is_there(folder / file.path, file.size)}
    for batch in in_batches(files, KEYS_AT_ONCE):
        keys = "".join(f"{file.key}\n" for file in batch)
        try:
            answers = call_annex(
                ["checkpresentkey", "--batch", remote.name], cwd=remote.clone, stdin=keys
            ).splitlines()
        except CommandError as e:
            raise WorkflowFailure(
                f"The special remote of export.remote ({remote}) does not answer: "
                f"{last_line(e.stderr)}",
                hint="see that it can be reached, then start the export again.",
                failure_class=FailureClass.STORE_UNAVAILABLE,
            ) from e
        missing |= {f.path for f, there in zip(batch, answers, strict=True) if there != "1"}
    return missing


def is_there(path: Path, size: int | None) -> bool:
    """Whether a file lies at a path, with its size where that is known."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and size in (None, status.st_size)


def changed_paths(clone: Path, before: str, after: str, *, kind: str = "AMT") -> set[str]:
    """Paths of files that a tree adds or changes (`D`: that it lacks); all without one before."""
    try:
        before = before or call_git(["mktree"], cwd=clone, stdin="")
        command = ["diff-tree", "-r", "-z", "--no-renames", "--name-only", f"--diff-filter={kind}"]
        return set(call_git_records([*command, before, after], cwd=clone))
    except CommandError:
        # The tree of an earlier export went with its clone.
        return changed_paths(clone, "", after, kind=kind) if kind != "D" else set()


def list_exported(contents: Contents, wanted: Collection[str]) -> Iterator[ExportedFile]:
    """Those of some paths that are exported, with their keys."""
    # What a link to a subject's folder stands for is of no subject.
    names = sorted({SHARED, *map(group_of, wanted)} & contents.groups.keys())
    for batch in in_batches(names, GROUPS_AT_ONCE):
        for group in read_groups(contents, batch).values():
            yield from (file for path, file in group.files.items() if path in wanted)
