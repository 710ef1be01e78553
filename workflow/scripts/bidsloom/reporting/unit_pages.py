"""The units' own HTML pages, so that the report opens them in place.

Those of results are copied from the store's objects to
`results/<study>/pages/<unit>/`, with the local files that they name; nothing
is fetched.  Those of failed attempts are in `results/<study>/evidence/`.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..base.errors import CommandError
from ..base.files import current_umask, read_json, write_json
from ..base.page_references import local_references
from ..base.text import printable
from ..config import Study
from ..datasets.branches import BranchKind, list_heads, read_results
from ..datasets.output_datasets import list_outputs, main_output
from ..datasets.stored_files import (
    ResultFiles,
    StoredFile,
    archive_members,
    list_result_files,
    repository_of,
)
from ..datasets.stores import REMOTE
from ..records.evidence import LIMIT, PAGE_SIZE, PAGES, list_evidence, units_with_evidence
from ..records.unit_state import UnitState
from .unit_states import Row

log = logging.getLogger(__name__)

# At most so many pages of a unit are copied, and so many files of its failed attempts listed.
TOP_PAGES = 20
LISTED_FILES = 40
# Files that a page shows, which need no link of their own.
FIGURES = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".css", ".js")
# What a copy was made from: beside the copied files.
MADE_FROM = ".made_from.json"
# States in which a unit's result is in the store; those to be looked at come first.
SHOWN = (UnitState.INCOMPLETE, UnitState.HELD, UnitState.UNMERGED, UnitState.DONE, UnitState.MERGED)


@dataclass(frozen=True)
class Link:
    """A file that the report's page links to: a relative URL, and what it is called."""

    href: str
    name: str

    @classmethod
    def to(cls, path: str, name: str) -> Link:
        """A link to a file below the study's results folder, whatever its name holds."""
        return cls(quote(os.fsencode(path)), printable(name))


def with_kept_results(study: Study, rows: Sequence[Row]) -> list[Row]:
    """The rows, with the results of incomplete units that have no record.

    Such a unit is computed again, and its last result is on its branch.
    """
    wanted = {row.unit for row in rows if row.state is UnitState.INCOMPLETE and not row.commit}
    if not wanted:
        return list(rows)
    output = main_output(study)
    repository = repository_of(output)
    prefix = f"refs/remotes/{REMOTE}/" if repository == output.dataset else "refs/heads/"
    try:
        heads = list_heads(repository, prefix, study.container.name, BranchKind.INCOMPLETE)
        results = read_results(repository, [c for unit, c in heads.items() if unit in wanted])
    except (CommandError, OSError):
        return list(rows)
    kept = {result.unit: result for result in results}
    return [
        replace(row, commit=kept[row.unit].commit, reasons=kept[row.unit].reasons)
        if row.unit in wanted and row.unit in kept
        else row
        for row in rows
    ]


def collect_links(study: Study, rows: Sequence[Row]) -> dict[str, dict[str, list[Link]]]:
    """Unit -> links to its own `pages`, and to the `evidence` of its failed attempts."""
    found: dict[str, dict[str, list[Link]]] = {}
    for unit, pages in lay_out_pages(study, rows).items():
        links = [Link.to(f"pages/{unit}/{page}", page) for page in pages]
        found[unit] = {"pages": links}
    there = units_with_evidence(study)
    for row in rows:
        if row.unit in there and (links := list(evidence_links(study, row.unit))):
            found.setdefault(row.unit, {})["evidence"] = links[:LISTED_FILES]
    return found


def links_of_unit(study: Study, row: Row) -> dict[str, list[Link]]:
    """The links of one unit; its pages are copied now, where they are not there yet."""
    pages = None
    if row.commit and row.state in SHOWN:
        pages = copied_pages(study, row.unit, row.commit)
        if pages is None:
            pages = copy_each(study, {row.unit: row.commit}).get(row.unit)
    return {
        "pages": [Link.to(f"pages/{row.unit}/{page}", page) for page in pages or ()],
        "evidence": list(evidence_links(study, row.unit))[:LISTED_FILES],
    }


def evidence_links(study: Study, unit: str) -> Iterator[Link]:
    """The files that failed attempts at a unit left: pages first, figures not at all."""
    for attempt, files in list_evidence(study, unit).items():
        told = [path for path in files if not path.lower().endswith(FIGURES)]
        for path in sorted(told, key=lambda p: (not p.lower().endswith(PAGES), p)):
            yield Link.to(f"evidence/{unit}/{attempt}/{path}", f"attempt {attempt}: {path}")


def lay_out_pages(study: Study, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Copy the pages of some units; returns unit -> the paths of its pages in its folder.

    A unit whose result is the one that was copied before is not copied again.
    """
    folder = study.files.pages
    ages = {row.unit: age_of(study, row.unit) for row in rows if row.commit}
    chosen = choose_units(rows, study.report.unit_pages, ages)
    if folder.exists():
        for path in folder.iterdir():
            if path.name not in chosen:
                shutil.rmtree(path, ignore_errors=True)
    found = {unit: copied_pages(study, unit, commit) for unit, commit in chosen.items()}
    found |= copy_each(
        study, {unit: chosen[unit] for unit, pages in found.items() if pages is None}
    )
    return {unit: pages for unit, pages in found.items() if pages}


def copy_each(study: Study, due: Mapping[str, str]) -> dict[str, list[str] | None]:
    """Copy the pages of some results (unit -> commit); returns those that could be copied."""
    found: dict[str, list[str] | None] = {}
    try:
        files = list_result_files(list_outputs(study), due.values())
    except (CommandError, OSError) as e:
        log.warning("the results' own pages cannot be read: %s", e)
        return found
    for unit, commit in due.items():
        if commit not in files:
            continue
        try:
            found[unit] = copy_pages(study, unit, commit, files[commit])
        except (CommandError, OSError, ValueError) as e:
            log.warning("the pages of %s cannot be copied: %s", unit, e)
    return found


def choose_units(rows: Iterable[Row], limit: int, ages: Mapping[str, float]) -> dict[str, str]:
    """Unit -> commit of at most `limit` results: those to be looked at first, then the newest."""
    there = [row for row in rows if row.commit and row.state in SHOWN]
    there.sort(key=lambda row: (rank(row), ages.get(row.unit, 0.0), row.unit))
    return {row.unit: row.commit for row in there[:limit]}


def rank(row: Row) -> int:
    """Where a unit stands among those whose pages are copied; done is as good as merged."""
    return min(SHOWN.index(row.state), SHOWN.index(UnitState.DONE))


def age_of(study: Study, unit: str) -> float:
    """When a unit's record was written, as a number that is smaller for a newer one."""
    try:
        return -study.files.record(unit).stat().st_mtime
    except OSError:
        return 0.0


def copied_pages(study: Study, unit: str, commit: str) -> list[str] | None:
    """The pages that were copied from a result before; None where they were not."""
    made = read_json(study.files.pages_of(unit) / MADE_FROM)
    if isinstance(made, Mapping) and made.get("commit") == commit:
        return [str(page) for page in made.get("pages", [])]
    return None


def copy_pages(study: Study, unit: str, commit: str, result: ResultFiles) -> list[str]:
    """Copy the pages of a result with the files that they name; returns the pages."""
    names, locate = describe_files(study, result)
    pages = locate(top_pages(names))
    folder = study.files.pages_of(unit)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Under another name until it is complete.
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    try:
        left, copied = copy_files(pages, new, LIMIT)
        for page in copied:
            if pages[page].size <= PAGE_SIZE:
                text = (new / page).read_bytes().decode(errors="surrogateescape")
                named = [n for n in local_references(text, page) if n in names]
                left, _ = copy_files(locate(named), new, left)
        told: dict[str, Any] = {"commit": commit, "pages": copied}
        write_json(new / MADE_FROM, told)
        new.chmod(0o777 & ~current_umask())
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return copied


def describe_files(
    study: Study, result: ResultFiles
) -> tuple[set[str], Callable[[Iterable[str]], dict[str, StoredFile]]]:
    """The names of a result's files, and a function that finds their content.

    Of an archive, those that its files had before they were packed.
    """
    if not study.container.archive:
        return set(result.entries), result.locate
    members: dict[str, StoredFile] = {}
    for path, archive in result.locate(p for p in result.entries if p.endswith(".zip")).items():
        members |= archive_members(archive, path.removesuffix(".zip"))

    def locate(names: Iterable[str]) -> dict[str, StoredFile]:
        return {name: members[name] for name in names if name in members}

    return set(members), locate


def top_pages(paths: Iterable[str]) -> list[str]:
    """The pages that lie highest among a result's files: the others belong to them."""
    found = [path for path in paths if path.lower().endswith(PAGES)]
    highest = min((path.count("/") for path in found), default=0)
    return sorted(path for path in found if path.count("/") == highest)[:TOP_PAGES]


def copy_files(files: Mapping[str, StoredFile], target: Path, left: int) -> tuple[int, list[str]]:
    """Copy files as far as there is room; returns the room that is left, and the copied files."""
    copied = []
    for path, file in files.items():
        if os.path.lexists(target / path):
            continue
        if file.size > left:
            log.warning("%s is not copied beside the report: it is too large", printable(path))
            continue
        file.copy_to(target / path)
        left -= file.size
        copied.append(path)
    return left, copied
