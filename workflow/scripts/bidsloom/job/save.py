"""Save what the app wrote: every file below the output folders, compared with what git took.

DataLad runs the command and describes it; saving is done here, because its
save leaves out what any ignore file names, takes a nested repository for a
subdataset, and does both silently.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import remove_tree
from ..base.runners import call, call_annex, call_git, call_git_records, read_objects
from ..base.text import a_few, printable
from ..containers.runtimes import dataset_roots
from ..datasets.annex import POINTER, SYMLINK, key_size, link_key, pointer_key
from ..datasets.attributes import OWN_ATTRIBUTES
from ..datasets.output_datasets import owner_of
from ..datasets.trees import digest_like
from ..units.completeness import select
from .survey import Entry, Kind, Places, Survey, decide, list_entries
from .unit_job import Job, Saved

log = logging.getLogger(__name__)


def stage_outputs(job: Job, clone: Path) -> Saved:
    """Bring everything below the output folders into the index of its dataset.

    Raises `WorkflowFailure` that names each file which cannot be a result.
    """
    survey = look_at_outputs(job, clone)
    for path, why in survey.left_out.items():
        log.warning("%s is not saved: %s", printable(path), why)
    for note in survey.notes:
        log.warning("%s", note)
    if survey.faults:
        raise refuse(job, survey.faults)
    carry_out(survey, clone)
    faults: list[str] = []
    written: list[str] = []
    for target in job.targets:
        own = {
            target.inside(path): entry
            for path, entry in survey.kept.items()
            if owner_of(path, job.targets) is target
        }
        place = clone / target.path
        (place / ".git" / "info").mkdir(exist_ok=True)
        (place / ".git" / "info" / "attributes").write_text(OWN_ATTRIBUTES)
        folders = existing(place, job.own(target, job.study.container.outputs))
        add_to_index(place, folders)
        annex_lookalikes(place, own)
        faults += (target.outside(fault) for fault in compare(place, folders, own))
        changed = list_changed(place, job.bases[target.path], folders)
        written += (target.outside(path) for path in changed)
    if faults:
        raise refuse(job, faults)
    return Saved(sorted(written), survey.left_out, survey.notes)


def refuse(job: Job, faults: Sequence[str]) -> WorkflowFailure:
    """A failure that names what cannot be a result."""
    head = f"{job.study.container.name} ended for {job.unit.name}, but its result cannot be saved: "
    return WorkflowFailure(
        head + a_few(list(faults), 5),
        hint="change what the app writes, by its arguments or its version; nothing of this "
        "unit was pushed.",
        failure_class=FailureClass.APP_ERROR,
    )


def look_at_outputs(job: Job, clone: Path) -> Survey:
    """What the app left, and what becomes of each entry."""
    container = job.study.container
    apart = [target.path for target in job.targets if target.path]
    outputs = list(container.outputs)
    before = links_before(job, clone)
    entries = [
        entry
        for entry in list_entries(clone, outputs, apart=apart)
        if entry.kind is not Kind.LINK or before.get(entry.path) != entry.target
    ]
    registered = [
        job.study.input_path,
        *(f.of(job.unit.subject).path for f in job.study.further_inputs),
    ]
    folders = (*outputs, *registered)

    def holds(path: str) -> bool:
        within = any(f"{path}/".startswith(f"{folder}/") for folder in folders)
        return within or path == "." or is_committed(clone, path)

    places = Places(
        roots=dataset_roots(job.runtime, clone),
        holds=holds,
        exists=lambda path: (clone / path).exists(),
        content_of=lambda path, key: find_content(job, clone, path, key),
    )
    paths = [entry.path for entry in entries]
    unwanted = select(container.leave_out, container, job.unit, paths)
    return decide(entries, unit=job.unit, places=places, unwanted=unwanted)


def links_before(job: Job, clone: Path) -> dict[str, str]:
    """Path -> target of the links below the outputs that were there before the app ran.

    The group level finds the units' results, most of them without content.
    """
    found = {}
    for target in job.targets:
        place, paths = clone / target.path, job.own(target, job.study.container.outputs)
        if not paths:
            continue
        command = ["--literal-pathspecs", "ls-tree", "-r", "-z", job.bases[target.path], "--"]
        entries = (
            record.partition("\t") for record in call_git_records([*command, *paths], cwd=place)
        )
        links = {path: head.split()[2] for head, _, path in entries if head.startswith(SYMLINK)}
        contents = read_objects(links.values(), repository=place)
        for path, content in zip(links, contents, strict=True):
            found[target.outside(path)] = os.fsdecode(content)
    return found


def list_changed(place: Path, base: str, folders: Sequence[str]) -> list[str]:
    """The files below some folders that the index holds otherwise than a commit."""
    if not folders:
        return []
    command = ["--literal-pathspecs", "diff-index", "--cached", "-z", "--name-only", base, "--"]
    return call_git_records([*command, *folders], cwd=place)


def is_committed(clone: Path, path: str) -> bool:
    """True where the dataset had a path before the app ran."""
    return bool(call_git_records(["ls-tree", "-z", "HEAD", "--", path], cwd=clone))


def find_content(job: Job, clone: Path, path: str, key: str) -> Path | None:
    """The file with the content of an annexed file that a link names, wherever it leads."""
    file = Path(os.path.realpath(clone / path))
    if file.is_file() and file.name == (clone / path).readlink().name:
        return file
    # A link copied from elsewhere leads nowhere, yet names its content.
    for inside in input_folders(job, clone):
        try:
            found = inside / call_annex(["contentlocation", key], cwd=inside)
        except CommandError:
            continue
        if found.is_file():
            return found
    return None


def input_folders(job: Job, clone: Path) -> list[Path]:
    """The clones of the inputs, and of the unit's datasets in them."""
    parts = [f"{job.study.input_path}/{path}" for path in job.installed]
    return [clone / path for path in (*(source.path for source in job.sources), *parts)]


def carry_out(survey: Survey, clone: Path) -> None:
    """Remove what is left out, mend links, put content in the place of annex links."""
    # Before anything is removed: the content may lie in a nested repository.
    for path, content in survey.copied.items():
        (clone / path).unlink()
        shutil.copyfile(content, clone / path)
        survey.kept[path] = Entry(path, Kind.FILE, size=content.stat().st_size)
    for path in survey.left_out:
        unwanted = clone / path
        if unwanted.is_dir() and not unwanted.is_symlink():
            remove_tree(unwanted)
        else:
            unwanted.unlink(missing_ok=True)
    for path, target in survey.relinked.items():
        (clone / path).unlink()
        (clone / path).symlink_to(target)
        survey.kept[path] = Entry(path, Kind.LINK, target=target)


def existing(place: Path, folders: Iterable[str]) -> list[str]:
    """Those of some folders that are there, or that git knows."""
    return [
        folder
        for folder in folders
        if os.path.lexists(place / folder)
        or call_git_records(["ls-files", "-z", "--", folder], cwd=place)
    ]


def add_to_index(place: Path, folders: Sequence[str]) -> None:
    """Add everything below some folders, whoever ignores it, and take out what is gone."""
    if not folders:
        return
    gone = call_git_records(
        ["--literal-pathspecs", "ls-files", "-z", "--deleted", "--", *folders], cwd=place
    )
    if gone:
        names = b"".join(os.fsencode(path) + b"\0" for path in gone)
        call(["git", "update-index", "-z", "--remove", "--stdin"], cwd=place, stdin=names)
    there = [folder for folder in folders if os.path.lexists(place / folder)]
    if there:
        settings = ["-c", "annex.dotfiles=true", "-c", "annex.addunlocked=false"]
        add = ["annex", "add", "-q", "--no-check-gitignore", "--", *there]
        call(["git", *settings, *add], cwd=place)


def annex_lookalikes(place: Path, own: dict[str, Entry]) -> None:
    """Annex text that looks like git-annex' stand-in for a file: git would take it for one."""
    for path, entry in own.items():
        file = place / path
        if entry.kind is not Kind.FILE or file.is_symlink() or entry.size > 32768:
            continue
        with file.open("rb") as f:
            start = f.read(len(POINTER))
        if start != POINTER or pointer_key(file.read_bytes()) is None:
            continue
        aside = place / ".git" / "lookalike"
        shutil.copyfile(file, aside)
        key = call_annex(["calckey", "--", str(aside)], cwd=place)
        call_annex(["setkey", key, str(aside)], cwd=place)
        call_git(["rm", "-q", "-f", "--cached", "--", path], cwd=place)
        file.unlink()
        call_annex(["fromkey", "-q", "--force", key, path], cwd=place)


def compare(place: Path, folders: Sequence[str], own: dict[str, Entry]) -> Iterator[str]:
    """What of the files is not in the index as it was written, in words."""
    index = {}
    if folders:
        command = ["--literal-pathspecs", "ls-files", "-s", "-z", "--", *folders]
        for record in call_git_records(command, cwd=place):
            about, _, path = record.partition("\t")
            mode, blob, _ = about.split()
            index[path] = mode, blob
    for path, entry in own.items():
        found = index.pop(path, None)
        if found is None:
            yield f"{printable(path)} was not taken by git"
        elif not is_same(place / path, entry, *found):
            yield f"{printable(path)} would not be kept as it was written"
    for path in index:
        if not os.path.lexists(place / path):
            yield f"{printable(path)} vanished while it was saved"


def is_same(file: Path, entry: Entry, mode: str, blob: str) -> bool:
    """True where an entry of the index holds the very content that was written."""
    if mode == SYMLINK:
        target = str(file.readlink())
        if blob != blob_id(os.fsencode(target), like=blob):
            return False
        if entry.kind is Kind.LINK:
            return target == entry.target
        key = link_key(target)
        return key is not None and key_size(key) == entry.size == os.stat(file).st_size
    return entry.kind is Kind.FILE and blob == blob_id(file.read_bytes(), like=blob)


def blob_id(content: bytes, *, like: str) -> str:
    """Git's name of a blob, in the digest that another name is of."""
    return digest_like(like, b"blob %d\0%b" % (len(content), content)).hex()
