"""A subject's files in `results/<study>/` and in the scratch space of this machine.

Tables and lists that name it among others are left to be written again, or
lose the lines that name it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..base.files import read_json, remove_tree, write_json, write_text
from ..config import Study
from ..handover.bids_prov import prov_label
from ..job.scratch import is_alive, left_folders, unit_of_folder
from ..records.merge_outcome import MergeOutcome, read_merge_outcome, write_merge_outcome
from .person import Person

# Larger files are no notes.
LARGEST = 50_000_000


@dataclass(frozen=True)
class Leftovers:
    """What is left of a subject on this machine.

    `own` are files and folders of the subject alone, `logs` are logs of others
    that have lines with its name, `lists` other notes that name it among
    others.
    """

    own: tuple[Path, ...]
    logs: tuple[Path, ...]
    lists: tuple[Path, ...]


def find_leftovers(study: Study, person: Person) -> Leftovers:
    """What is left of a subject on this machine; nothing is changed."""
    own = [*list_own(study, person), *list_scratch(study, person)]
    logs: list[Path] = []
    lists: list[Path] = []
    for path in list_notes(study):
        if any(path.is_relative_to(part) for part in own) or not mentions(path, person):
            continue
        (logs if path.suffix == ".log" else lists).append(path)
    return Leftovers(tuple(own), tuple(logs), tuple(lists))


def clones_of(study: Study) -> set[Path]:
    """The study's own clones: what they name is in their history."""
    files = study.files
    parents = [files.dataset, files.input, files.containers, files.export_clone]
    return {*parents, files.path / "inputs", files.path / "outputs"}


def list_own(study: Study, person: Person) -> Iterator[Path]:
    """Files and folders whose name is that of the subject, or starts with it."""
    clones = clones_of(study)
    for folder, folders, files in os.walk(study.results):
        place = Path(folder)
        folders[:] = [name for name in folders if place / name not in clones]
        for name in [*folders, *files]:
            if person.owns_path(name.lstrip(".")):
                yield place / name
        folders[:] = [name for name in folders if not person.owns_path(name)]
    label = prov_label(person.subject)
    for path in sorted(study.files.provenance.glob(f"prov-{label}*")):
        if path.name.partition("+ses")[0] == f"prov-{label}":
            yield path
    for further in study.further_inputs:
        if further.is_pattern:
            for path in sorted(further.clone.glob(f"*{person.subject}*")):
                if person.owns_path(path.name.lstrip(".")):
                    yield path


def list_scratch(study: Study, person: Person) -> Iterator[Path]:
    """Folders of the subject's dead jobs in the scratch space of this machine."""
    for path in left_folders(study):
        unit = unit_of_folder(study, path).removeprefix("prove-")
        if person.owns(unit) and not is_alive(path):
            yield path


def list_notes(study: Study) -> Iterator[Path]:
    """All notes of a study, without what is in its clones."""
    clones = clones_of(study)
    for folder, folders, files in os.walk(study.results):
        place = Path(folder)
        folders[:] = sorted(name for name in folders if place / name not in clones)
        yield from (place / name for name in sorted(files))


def mentions(path: Path, person: Person) -> bool:
    """Whether a file has the subject's name in it."""
    try:
        if path.is_symlink() or path.stat().st_size > LARGEST:
            return False
        return bool(person.word.search(path.read_text(errors="replace")))
    except OSError:
        return False


def remove_leftovers(study: Study, person: Person) -> None:
    """Remove what is left of a subject on this machine, and take its name out of other notes."""
    for path in find_leftovers(study, person).own:
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    forget_in_outcome(study, person)
    forget_in_listing(study, person)
    left = find_leftovers(study, person)
    # Written anew by whoever needs them.
    caches = [study.files.proof, study.files.exported, study.files.batches, study.files.trees]
    caches += [study.files.array("any").parent, study.files.ended("any").parent]
    for path in left.lists:
        if any(path.is_relative_to(cache) for cache in caches):
            path.unlink()
    for path in left.logs:
        lines = path.read_text(errors="surrogateescape").splitlines(keepends=True)
        path.write_text(
            "".join(line for line in lines if not person.word.search(line)),
            errors="surrogateescape",
        )
    if index := read_json(study.files.provenance_index):
        kept = {unit: commit for unit, commit in index.items() if not person.owns(unit)}
        write_json(study.files.provenance_index, kept)
    tables = (study.files.subjects, study.files.excluded, study.files.unmerged)
    for table in (*tables, study.files.provenance / "provenance.tsv"):
        if mentions(table, person):
            lines = table.read_text(errors="surrogateescape").splitlines(keepends=True)
            write_text(table, "".join(ln for ln in lines if not person.word.search(ln)))


def forget_in_outcome(study: Study, person: Person) -> None:
    """Take a subject out of what the last merge did."""
    if not mentions(study.files.merged, person):
        return
    known = read_merge_outcome(study)
    write_merge_outcome(
        study,
        MergeOutcome(
            main=known.main,
            merged_now=tuple(u for u in known.merged_now if not person.owns(u)),
            merged=tuple(u for u in known.merged if not person.owns(u)),
            removed_now=tuple(u for u in known.removed_now if not person.owns(u)),
            unmerged={u: why for u, why in known.unmerged.items() if not person.owns(u)},
            held={u: why for u, why in known.held.items() if not person.owns(u)},
            expects=known.expects,
        ),
    )


def forget_in_listing(study: Study, person: Person) -> None:
    """Take a subject out of the units as they were listed."""
    known = read_json(study.files.units)
    if known and mentions(study.files.units, person):
        known["units"] = [unit for unit in known["units"] if not person.owns(unit["name"])]
        known["excluded"] = [pair for pair in known["excluded"] if not person.owns(pair[0])]
        known["unreadable"] = [u for u in known.get("unreadable", ()) if not person.owns(u)]
        write_json(study.files.units, known)
