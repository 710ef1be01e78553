"""Whether a unit's result is complete: what is missing, and what crashed.

A result is complete if it holds the files that `container.expects` names and
none of `container.crash_files`.  Pure: paths go in, a verdict comes out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

from ..base.files import digest
from ..base.patterns import to_regex
from ..config.study import Container, Expectation, Requirement, Selection
from .file_names import FOLDERS, load_entities, parse_path, parse_shape, plain, satisfies
from .output_folders import output_folder
from .unit import Unit, subject_of

# Entities that say which recording a file is made from.  The others say what
# kind of file it is (suffix, datatype, extension) or what was done to it (space).
IDENTIFYING = (
    ("session", "sample", "task", "tracksys", "acquisition", "ceagent", "staining", "tracer")
    + ("nucleus", "volume", "reconstruction", "direction", "run", "proc", "modality", "echo")
    + ("flip", "inv", "mt", "part", "recording", "chunk")
)
# How a BIDS filter file says that an entity is absent, or of any value.
ABSENT = ("", "Query.NONE")
ANYTHING = ("*", "Query.ANY", "Query.REQUIRED", "Query.OPTIONAL")


@dataclass(frozen=True)
class Verdict:
    """What a result lacks, in words, and the paths of files that mean a crash."""

    missing: tuple[str, ...] = ()
    crashed: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """True if nothing is missing and nothing crashed."""
        return not self.missing and not self.crashed


def judge(
    container: Container, unit: Unit, *, written: Iterable[str], read: Iterable[str]
) -> Verdict:
    """Whether a unit's result is complete.

    `written` are the paths of the result's files, relative to the output
    dataset; of an archive, those that its files have before they are packed.
    `read` are the paths of the unit's files in the raw input, relative to it.
    """
    written = list(written)
    crashed = select(container.crash_files, container, unit, written)
    if unit.is_group:
        return Verdict(crashed=crashed)
    read = [match[1] if (match := FOLDERS.match(path)) else path for path in read]
    missing = (
        lack
        for expectation in container.expects
        for session in sessions_of(expectation, unit, read)
        for lack in find_lacks(expectation, container, unit, session, written, read)
    )
    return Verdict(tuple(dict.fromkeys(missing)), crashed)


def describe_lacks(verdict: Verdict, exit_code: int) -> tuple[str, ...]:
    """Why a result is not complete, in words; nothing for a complete one."""
    reasons = [*verdict.missing, *(f"crash file {path}" for path in verdict.crashed)]
    if exit_code:
        there = "" if verdict.missing else ", all expected files are there"
        reasons.insert(0, f"exit code {exit_code}{there}")
    return tuple(reasons)


def expects_digest(container: Container) -> str:
    """A digest of what makes a result complete: another one means, look at the files again."""
    expected = [vars(expectation) for expectation in container.expects]
    return digest([expected, container.crash_files])


def is_accepted(selection: Selection, unit: str) -> bool:
    """True if the user accepts the unit's incomplete result, by its name or its subject's."""
    return unit in selection.accept or subject_of(unit) in selection.accept


def select(
    patterns: Iterable[str], container: Container, unit: Unit, paths: Iterable[str]
) -> tuple[str, ...]:
    """The paths below a unit's output folders that match one of the patterns; sorted."""
    folders = [output_folder(container, unit, output) for output in container.outputs]
    expressions = [
        to_regex(f"{folder}/{fill(pattern, unit, unit.session)}")
        for pattern in patterns
        for folder in folders
    ]
    expressions += [
        to_regex(folder + fill(pattern[len(output) :], unit, unit.session))
        for pattern in patterns
        for output, folder in zip(container.outputs, folders, strict=True)
        if pattern.startswith(f"{output}/")
    ]
    return tuple(sorted(path for path in set(paths) if any(e.match(path) for e in expressions)))


# --- what is missing ----------------------------------------------------------


def sessions_of(expectation: Expectation, unit: Unit, read: Iterable[str]) -> list[str | None]:
    """The sessions for which an expectation holds, None for no session.

    A pattern that names `{session}` holds for each session of a subject's
    input, where one job processes the subject with all its sessions.
    """
    if unit.session or "{session}" not in expectation.pattern:
        return [unit.session]
    folders = {path.split("/")[1] for path in read if path.count("/") > 1}
    found = sorted(f.removeprefix("ses-") for f in folders if f.startswith("ses-"))
    return [*found] or [None]


def find_lacks(
    expectation: Expectation,
    container: Container,
    unit: Unit,
    session: str | None,
    written: Iterable[str],
    read: Iterable[str],
) -> Iterator[str]:
    """What a result lacks of one expectation, in words."""
    matches = expected_files(expectation, container, unit, session).match
    found = [path for path in written if matches(path)]
    if not expectation.for_each:
        if len(found) < expectation.at_least:
            where = f" for ses-{session}" if session and not unit.session else ""
            yield lack(len(found), expectation, where)
        return
    names = expectation.same or tuple(n for n in IDENTIFYING if n not in expectation.drop)
    counts = Counter(identify(path, unit.subject, names) for path in found)
    shared = {identify(path, unit.subject, expectation.if_any) for path in found}
    for path, identity in inputs_of(expectation, container, unit, names, read).items():
        if session and not unit.session and f"/ses-{session}/" not in path:
            continue
        if expectation.if_any and identify(path, unit.subject, expectation.if_any) not in shared:
            continue
        if counts[identity] < expectation.at_least:
            yield lack(counts[identity], expectation, f" for {path}")


def lack(found: int, expectation: Expectation, where: str) -> str:
    """What is missing, in words; the pattern as it is written, so that units can be counted."""
    if expectation.at_least == 1:
        return f"no file {expectation.pattern}{where}"
    return f"{found} of {expectation.at_least} files {expectation.pattern}{where}"


def expected_files(
    expectation: Expectation, container: Container, unit: Unit, session: str | None
) -> re.Pattern[str]:
    """The expression of the paths that an expectation means.

    A pattern is relative to the app's output folder; one that starts with the
    path of an output may also be meant relative to the output dataset.
    """
    pattern, outputs = expectation.pattern, container.outputs
    choices = [f"{output_folder(container, unit, outputs[0])}/{fill(pattern, unit, session)}"]
    choices += [
        output_folder(container, unit, output) + fill(pattern[len(output) :], unit, session)
        for output in outputs
        if pattern.startswith(f"{output}/")
    ]
    return to_regex(choices[0] if len(choices) == 1 else f"{{{','.join(choices)}}}")


def fill(pattern: str, unit: Unit, session: str | None) -> str:
    """A pattern with the unit's labels; without a session the parts that name one vanish."""
    pattern = pattern.replace("{subject}", unit.subject)
    if session is None:
        return re.sub(r"\b(ses-)?{session}[/_]|[/_]?(ses-)?{session}", "", pattern)
    return pattern.replace("{session}", session)


# --- which files belong together ------------------------------------------------


def inputs_of(
    expectation: Expectation,
    container: Container,
    unit: Unit,
    names: tuple[str, ...],
    read: Iterable[str],
) -> dict[str, tuple[str, ...]]:
    """Input file -> its identity, of the files for each of which something is expected.

    One file for each identity: of several echoes, the first.
    """
    requirement = Requirement(expectation.for_each)
    found: dict[tuple[str, ...], str] = {}
    for path in sorted(read):
        if satisfies(path, unit.subject, requirement) and is_read(
            path, unit.subject, container.bids_filter
        ):
            found.setdefault(identify(path, unit.subject, names), path)
    return {path: identity for identity, path in found.items()}


def identify(path: str, subject: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The values of some entities in a file's name."""
    name = path.rpartition("/")[2]
    if not name.startswith(f"sub-{subject}_"):
        return ("",) * len(names)
    return identify_shape(name.removeprefix(f"sub-{subject}"), names)


@lru_cache(maxsize=10_000)
def identify_shape(rest: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The values of some entities in what follows the subject in a file's name."""
    entities = parse_shape(f"sub-0/sub-0{rest}")
    return tuple(plain(name, entities.get(name)) for name in names)


def is_read(path: str, subject: str, bids_filter: str) -> bool:
    """Whether the app's BIDS filter lets it read an input file."""
    entities = parse_path(path, subject)
    suffix = plain("suffix", entities.get("suffix"))
    queries = [q for suffixes, q in read_filter(bids_filter) if suffix.lower() in suffixes]
    return not queries or any(passes(entities, query) for query in queries)


@cache
def read_filter(bids_filter: str) -> tuple[tuple[frozenset[str], Mapping[str, object]], ...]:
    """The queries of a BIDS filter, each with the suffixes that it is about, in lower case."""
    queries = json.loads(bids_filter) if bids_filter else {}
    return tuple(
        (frozenset(str(s).lower() for s in listed(query.get("suffix", name))), query)
        for name, query in queries.items()
    )


def passes(entities: Mapping[str, object], query: Mapping[str, object]) -> bool:
    """Whether a file has what a query asks for, as far as pybids knows the entities."""
    for name, value in query.items():
        if name not in load_entities() or any(v in ANYTHING for v in listed(value)):
            continue
        wanted = {"" if v is None or v in ABSENT else plain(name, v) for v in listed(value)}
        if plain(name, entities.get(name)) not in wanted:
            return False
    return True


def listed(value: object) -> list:
    """A scalar as a list of one."""
    return value if isinstance(value, list) else [value]
