"""Files of results as the stores hold them: read without a checkout, and without fetching."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.runners import call, call_annex, call_git_lines
from .annex import SUBDATASET, SYMLINK, entry_key, key_size, name_of_key, object_path
from .branches import Entry, Result, read_files, read_stand_ins
from .output_datasets import OutputDataset
from .stores import StoreKind


@dataclass(frozen=True)
class StoredFile:
    """The content of a file: in a git object, in a file of an annex, or in an archive there."""

    size: int
    repository: Path
    blob: str = ""
    content: Path | None = None
    member: str = ""

    def read(self) -> bytes:
        """The whole content.  Raises `CommandError` or `OSError`."""
        if self.content is None:
            return call(["git", "cat-file", "blob", self.blob], cwd=self.repository)
        if self.member:
            with zipfile.ZipFile(self.content) as archive:
                return archive.read(self.member)
        return self.content.read_bytes()

    def copy_to(self, target: Path) -> None:
        """Write the content to a new file.  Raises `CommandError` or `OSError`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.content and not self.member:
            with self.content.open("rb") as source, target.open("xb") as f:
                shutil.copyfileobj(source, f)
        else:
            with target.open("xb") as f:
                f.write(self.read())


@dataclass(frozen=True)
class ResultFiles:
    """The files that a result adds: path in the output dataset -> its dataset and its entry."""

    entries: Mapping[str, tuple[OutputDataset, Entry]]

    def locate(self, paths: Iterable[str]) -> dict[str, StoredFile]:
        """The content of those of some files that is at hand; links are left out."""
        found: dict[str, StoredFile] = {}
        wanted = [path for path in dict.fromkeys(paths) if path in self.entries]
        for output in {
            self.entries[path][0].path: self.entries[path][0] for path in wanted
        }.values():
            own = {p: self.entries[p][1] for p in wanted if self.entries[p][0] is output}
            found |= locate_entries(output, own)
        return {path: found[path] for path in wanted if path in found}


def list_result_files(
    outputs: Sequence[OutputDataset], commits: Iterable[str]
) -> dict[str, ResultFiles]:
    """Commit of a result -> its files; commits that no repository here holds are left out.

    In `outputs`, the output dataset comes last.
    """
    *further, main = outputs
    found: dict[str, dict[str, tuple[OutputDataset, Entry]]] = {}
    registered: dict[str, dict[str, str]] = {output.path: {} for output in further}
    for commit, files in read_added(main, commits).items():
        found[commit] = {}
        for path, entry in files.items():
            if path in registered and entry.mode == SUBDATASET:
                registered[path][entry.blob] = commit
            else:
                found[commit][path] = main, entry
    for output in further:
        for commit, files in read_added(output, registered[output.path]).items():
            owner = found[registered[output.path][commit]]
            owner |= {output.outside(path): (output, entry) for path, entry in files.items()}
    return {commit: ResultFiles(entries) for commit, entries in found.items()}


def read_added(output: OutputDataset, commits: Iterable[str]) -> dict[str, dict[str, Entry]]:
    """Commit -> the files that it adds, of those commits that are at hand."""
    repository, commits = repository_of(output), list(commits)
    if not commits or not repository.exists():
        return {}
    lines = call_git_lines(
        ["cat-file", "--batch-check=%(objectname) %(objecttype)"],
        cwd=repository,
        stdin="".join(f"{commit}\n" for commit in commits),
    )
    there = [name for name, kind in (line.split(" ", 1) for line in lines) if kind == "commit"]
    results = [Result("", commit, "") for commit in there]
    return read_files(repository, results)


def repository_of(output: OutputDataset) -> Path:
    """Where an output's commits can be read: in its store where that is mounted."""
    store = output.store.repository
    return store if store and store.exists() else output.dataset


def locate_entries(output: OutputDataset, entries: Mapping[str, Entry]) -> dict[str, StoredFile]:
    """Path -> content, of those files of a dataset whose content is at hand."""
    repository = repository_of(output)
    stand_ins = read_stand_ins(repository, entries.values())
    keys = {
        path: key
        for path, entry in entries.items()
        if entry.blob in stand_ins and (key := entry_key(entry.mode, stand_ins[entry.blob]))
    }
    contents = find_contents(output, keys.values())
    found = {
        path: StoredFile(key_size(key), repository, content=contents[key])
        for path, key in keys.items()
        if key in contents
    }
    plain = {
        path: entry.blob
        for path, entry in entries.items()
        if path not in keys and entry.mode not in (SYMLINK, SUBDATASET)
    }
    sizes = blob_sizes(repository, plain.values())
    return found | {
        path: StoredFile(sizes[blob], repository, blob=blob)
        for path, blob in plain.items()
        if blob in sizes
    }


def blob_sizes(repository: Path, names: Iterable[str]) -> dict[str, int]:
    """Blob -> its size, of those that a repository holds."""
    names = sorted(set(names))
    if not names:
        return {}
    lines = call_git_lines(
        ["cat-file", "--batch-check", "--buffer"],
        cwd=repository,
        stdin="".join(f"{name}\n" for name in names),
    )
    found = (line.split() for line in lines)
    return {name: int(size[0]) for name, kind, *size in found if kind == "blob"}


def find_contents(output: OutputDataset, keys: Iterable[str]) -> dict[str, Path]:
    """Key -> the file with its content, of those keys whose content is on this machine."""
    keys = sorted(set(keys))
    if not keys:
        return {}
    store = output.store
    if store.holds_objects:
        paths = {key: object_path(store.mounted, key) for key in keys}
    elif store.kind is StoreKind.RIA and store.repository:
        # The folders of a RIA store are those of an annex with a work tree.
        folders = ask_annex(["examinekey", "--batch", "--format=${hashdirmixed}\\n"], keys, output)
        objects, names = store.mounted / "annex" / "objects", map(name_of_key, keys)
        paths = {
            key: objects / folder / name / name
            for key, folder, name in zip(keys, folders, names, strict=True)
        }
    else:
        told = ask_annex(["contentlocation", "--batch"], keys, output)
        paths = {key: output.dataset / path for key, path in zip(keys, told, strict=True) if path}
    return {key: path for key, path in paths.items() if path.is_file()}


def ask_annex(question: list[str], keys: Sequence[str], output: OutputDataset) -> list[str]:
    """The answers of git-annex, one a key; an empty one where it has none."""
    asked = "".join(f"{key}\n" for key in keys)
    answer = call_annex(question, cwd=output.dataset, stdin=asked).split("\n")
    # The last answers may be empty.
    return [*answer, *[""] * (len(keys) - len(answer))]


def archive_members(archive: StoredFile, folder: str) -> dict[str, StoredFile]:
    """The files in an archive, by paths below the folder that it stands for."""
    if archive.content is None:
        return {}
    with zipfile.ZipFile(archive.content) as opened:
        return {
            f"{folder}/{info.filename}": StoredFile(
                info.file_size, archive.repository, content=archive.content, member=info.filename
            )
            for info in opened.infolist()
            if not info.is_dir()
        }
