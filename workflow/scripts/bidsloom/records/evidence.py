"""What failed attempts left, so that one can see why they failed.

`results/<study>/evidence/<unit>/<attempt>/` holds copies of files of the job's
clone, by their paths there, and below `tmp/` the crash files of the app's work
folder.  It is removed when the unit is done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ..base.files import current_umask
from ..base.page_references import local_references
from ..base.patterns import to_regex
from ..base.text import a_few, printable
from ..config import Study
from ..config.study import Container
from ..units.completeness import fill, select
from ..units.unit import Unit

log = logging.getLogger(__name__)

# Bytes of all attempts at a unit together.
LIMIT = 50 * 2**20
# How long a job looks for files and copies them.
SECONDS = 20.0
PAGES = (".html", ".htm")
# Larger pages are kept, but not read for the files that they name.
PAGE_SIZE = 20 * 2**20
# The folder, in an attempt's evidence, of what was in the app's work folder.
WORK = "tmp"
# At most this many names of files that were not kept are shown.
NAMED = 5
FOREVER = float("inf")


@dataclass
class Copies:
    """Copies of files in the folder `target`, within a size and a time.

    `too_large` names the files that did not fit into what was `left`.
    """

    target: Path
    deadline: float
    left: int = LIMIT
    too_large: list[str] = field(default_factory=list)

    def take(self, root: Path, path: str, name: str) -> None:
        """Copy a file below a root, unless it leads out of it or is no regular file."""
        target = self.target / name
        if is_late(self.deadline) or os.path.lexists(target):
            return
        try:
            with open_inside(root, path) as handle:
                size = os.fstat(handle.fileno()).st_size
                if size > self.left:
                    self.too_large.append(name)
                    return
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as f:
                    shutil.copyfileobj(handle, f)
            # A file may grow while it is copied.
            self.left -= target.stat().st_size
        except (OSError, ValueError) as e:
            log.warning("%s is not kept as evidence: %s", printable(name), e)


def keep_evidence(
    study: Study,
    unit: Unit,
    attempt: int,
    *,
    clone: Path,
    work: Path,
    known: Collection[str] = (),
    seconds: float = SECONDS,
) -> list[str]:
    """Copy what may show why an attempt failed; returns the names of the copies.

    `clone` is the job's clone, `work` the app's work folder, `known` are files
    of the clone that were there before the app ran.  Evidence of older
    attempts is removed where all together would be too large.
    """
    deadline, container = time.monotonic() + seconds, study.container
    found = [path for path in walk(clone, container.outputs, deadline) if path not in known]
    chosen = order(container, unit, found)
    crashes = crash_files(container, unit, (f"{WORK}/{p}" for p in walk(work, [""], deadline)))
    folder = study.files.evidence_of(unit.name)
    if not chosen and not crashes:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    # Under another name until it is complete.
    copies = Copies(Path(tempfile.mkdtemp(prefix=".new-", dir=folder)), deadline)
    for path in crashes:
        copies.take(work, path.removeprefix(f"{WORK}/"), path)
    for path in chosen:
        copies.take(clone, path, path)
        if path.lower().endswith(PAGES):
            for name in named_files(copies.target / path, path, container.outputs):
                if name not in known:
                    copies.take(clone, name, name)
    if copies.too_large:
        log.warning(
            "%d file(s) are not kept as evidence, which is limited to %d MB a unit: %s",
            len(copies.too_large),
            LIMIT // 2**20,
            a_few([printable(name) for name in copies.too_large], NAMED),
        )
    if is_late(deadline):
        log.warning("the search for evidence ended after %.0f s; it may not be complete", seconds)
    kept = sorted(walk(copies.target, [""], deadline + seconds))
    # mkdtemp makes a folder that colleagues could not read.
    copies.target.chmod(0o777 & ~current_umask())
    shutil.rmtree(folder / str(attempt), ignore_errors=True)
    copies.target.rename(folder / str(attempt))
    remove_oldest(folder, LIMIT)
    if kept:
        log.info("evidence of attempt %d is kept in %s", attempt, folder / str(attempt))
    return kept


def order(container: Container, unit: Unit, paths: Collection[str]) -> list[str]:
    """The files of an attempt that are kept, the most telling first: crashes, pages, the rest."""
    crashed = set(select(container.crash_files, container, unit, paths))
    chosen = select([*container.crash_files, *container.evidence], container, unit, paths)
    return sorted(chosen, key=lambda p: (p not in crashed, not p.lower().endswith(PAGES), p))


def crash_files(container: Container, unit: Unit, paths: Iterable[str]) -> list[str]:
    """Those of an attempt's files that mean a crash; a path below `tmp/` is of the work folder."""
    paths = list(paths)
    expressions = [to_regex(fill(p, unit, unit.session)) for p in container.crash_files]
    at_work = {
        path
        for path in paths
        if path.startswith(f"{WORK}/")
        and any(e.match(path.removeprefix(f"{WORK}/")) for e in expressions)
    }
    return sorted(at_work | set(select(container.crash_files, container, unit, paths)))


def named_files(copy: Path, path: str, outputs: Iterable[str]) -> Iterator[str]:
    """The files of the output folders that the copy of a page names."""
    try:
        if copy.stat().st_size > PAGE_SIZE:
            return
        text = copy.read_bytes().decode(errors="surrogateescape")
    except OSError:
        return
    folders = tuple(f"{output}/" for output in outputs)
    for name in local_references(text, path):
        if name.startswith(folders):
            yield name


def open_inside(root: Path, path: str) -> BinaryIO:
    """A regular file below a root, for reading.

    Raises `ValueError` where the path leads out of the root, or to something
    that is no regular file; `OSError` where it cannot be read.
    """
    real, inside = os.path.realpath(root / path), os.path.realpath(root)
    if not real.startswith(f"{inside}/"):
        raise ValueError("it leads out of the dataset")
    # Without waiting: a fifo would wait for a writer.
    handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError("it is no regular file")
    return os.fdopen(handle, "rb")


def walk(root: Path, folders: Iterable[str], deadline: float) -> Iterator[str]:
    """Files and links below some folders of a root, relative to it, until the deadline.

    Links to folders are not followed; what cannot be read is left out.
    """
    left = [folder for folder in reversed(list(folders)) if not (root / folder).is_symlink()]
    while left and not is_late(deadline):
        folder = left.pop()
        entries = []
        with contextlib.suppress(OSError):
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                if entry.name != ".git":
                    left.append(path)
            else:
                yield path


def is_late(deadline: float) -> bool:
    """True after a time of the monotonic clock."""
    return time.monotonic() > deadline


def remove_oldest(folder: Path, limit: int) -> None:
    """Remove what older attempts left where all together is more than `limit` bytes."""
    left = limit
    for number in attempts_of(folder):
        attempt = folder / str(number)
        size = sum((attempt / name).lstat().st_size for name in walk(attempt, [""], FOREVER))
        if size > left:
            log.warning("the evidence of attempt %d is removed: there is no room for it", number)
            shutil.rmtree(attempt, ignore_errors=True)
        else:
            left -= size


def attempts_of(folder: Path) -> list[int]:
    """The attempts of which a unit's folder holds evidence, the newest first."""
    with contextlib.suppress(OSError):
        return sorted((int(p.name) for p in folder.iterdir() if p.name.isdigit()), reverse=True)
    return []


def list_evidence(study: Study, unit: str) -> dict[int, list[str]]:
    """Attempt -> the files that are kept of it, the newest attempt first."""
    folder = study.files.evidence_of(unit)
    return {n: sorted(walk(folder / str(n), [""], FOREVER)) for n in attempts_of(folder)}


def units_with_evidence(study: Study) -> set[str]:
    """The units of which there is evidence."""
    with contextlib.suppress(OSError):
        return {path.name for path in study.files.evidence.iterdir()}
    return set()


def remove_evidence(study: Study, units: Iterable[str]) -> None:
    """Remove the evidence of units that are done."""
    for unit in units_with_evidence(study).intersection(units):
        shutil.rmtree(study.files.evidence_of(unit), ignore_errors=True)
