"""Entities in file names, by pybids' own patterns, and whether a unit has the required files.

pybids needs 0.2 ms for a name, which is two minutes for 50,000 subjects with
12 files.  The files of one subject have the same names as those of the next,
but for the label; so each name is parsed once for all subjects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from ..base.errors import WorkflowFailure
from ..config.schema import QUOTES, nearest
from ..config.study import Requirement

# Files that hold data: of a recording in several files, the main one.
IMAGES = (
    (".nii", ".nii.gz", ".gii", ".mgz", ".mgh", ".edf", ".bdf", ".vhdr", ".set", ".nwb", ".mefd")
    + (".fif", ".ds", ".sqd", ".con", ".raw", ".ave", ".mrk", ".kdf", ".mhd", ".trg", ".chn")
    + (".bti", ".snirf", ".tif", ".ome.btf", ".ome.zarr", ".png", ".jpg", ".h5")
)
TABLES = (".tsv", ".tsv.gz")
# Recordings that are folders.
FOLDERS = re.compile(r"(.*?/sub-[^/]+\.(?:ds|mefd|ome\.zarr))/")
# BTi's have no extension; here they get one, without which pybids finds no suffix.
BTI = re.compile(r"(.*?/sub-[^/]+_meg)/(?:config|hs_file|[ce],rf[^/]*)$")
# pybids numbers these; all other values are labels.
NUMBERED = re.compile(r"\((\\d|\[0-9\])\+\)")


@cache
def load_entities() -> dict[str, str]:
    """Name -> pattern of pybids' BIDS entities."""
    return {entity.name: entity.pattern for entity in bids_entities()}


@cache
def bids_entities() -> tuple:
    """Pybids' BIDS entities, loaded once.

    Without them `parse_file_entities` reads its configuration again in every
    call, which is 15 times slower.
    """
    # Imported here because job processes read the list of units and need no pybids.
    from bids.layout.models import Config

    return tuple(Config.load("bids").entities.values())


@lru_cache(maxsize=10_000)
def parse_shape(shape: str) -> Mapping[str, object]:
    """The entities in a path whose subject is `sub-0`."""
    from bids.layout import parse_file_entities

    return parse_file_entities(f"/{shape}", entities=bids_entities())


def parse_path(path: str, subject: str) -> Mapping[str, object]:
    """The entities in the path of a subject's file, without the subject.

    Empty for a file whose name does not start with the subject's.
    """
    folder, _, name = path.rpartition("/")
    if not name.startswith(f"sub-{subject}_"):
        return {}
    inner = folder.partition("/")[2]
    return parse_shape(f"sub-0/{inner}{inner and '/'}sub-0{name.removeprefix(f'sub-{subject}')}")


def has_bids_name(paths: Iterable[str], subject: str) -> bool:
    """True where any file has a BIDS name of the subject."""
    return any("suffix" in parse_path(path, subject) for path in paths)


def find_lack(
    paths: Iterable[str], subject: str, requirements: Iterable[Requirement]
) -> str | None:
    """In words, the first requirement that a unit with these files does not meet, or None."""
    paths = {recording_of(path) for path in paths}
    for requirement in requirements:
        found = sum(satisfies(path, subject, requirement) for path in paths)
        if found < requirement.at_least:
            return lack(found, requirement)
    return None


def recording_of(path: str) -> str:
    """The recording that a file is a part of: a folder, or the file itself."""
    if match := FOLDERS.match(path):
        return match[1]
    return f"{match[1]}.bti" if (match := BTI.match(path)) else path


def lack(found: int, requirement: Requirement) -> str:
    """The reason why a unit is left out, in words."""
    wanted = ", ".join(
        f"{name}={' or '.join(map(str, values))}" for name, values in requirement.entities
    )
    if requirement.at_least == 1:
        return f"no file with {wanted}"
    counted = {0: "no file", 1: "1 file"}.get(found, f"{found} files")
    return f"{counted} with {wanted}; required: {requirement.at_least}"


def satisfies(path: str, subject: str, requirement: Requirement) -> bool:
    """True where a file is one of the required files.

    Unless the requirement names an `extension`, only data counts and sidecars
    do not.  Tables (events, for example) are data if it names a `suffix`.
    """
    asked = {name for name, _ in requirement.entities}
    kinds = IMAGES + TABLES if "suffix" in asked else IMAGES
    if "extension" not in asked and not path.endswith(kinds):
        return False
    entities = parse_path(path, subject)
    return bool(entities) and all(
        plain(name, subject if name == "subject" else entities.get(name)) in values
        for name, values in plain_requirement(requirement)
    )


@cache
def plain_requirement(requirement: Requirement) -> tuple[tuple[str, frozenset[str]], ...]:
    """The required entities, with values as `plain` writes them."""
    return tuple(
        (name, frozenset(plain(name, value) for value in values))
        for name, values in requirement.entities
    )


def plain(name: str, value: object) -> str:
    """An entity's value, the same for equal ones: run 01 and 1, extension nii and .nii."""
    text = "" if value is None else str(value)
    if NUMBERED.search(load_entities()[name]):
        return text.lstrip("0") or text[-1:]
    if name == "extension":
        return text and f".{text.lstrip('.')}"
    return text.removeprefix({"session": "ses-", "subject": "sub-"}.get(name, "")) if text else ""


def check_requirements(requirements: Iterable[Requirement]) -> None:
    """Refuse entities that pybids does not know, and labels that YAML read as numbers."""
    known = load_entities()
    for number, requirement in enumerate(requirements):
        for name, values in requirement.entities:
            key = f"subjects.require.{number}.{name}"
            if name not in known:
                raise WorkflowFailure(
                    f"{key}: {name} is not a BIDS entity that pybids knows.",
                    hint=long_name(name) or nearest(name, list(known)),
                )
            for value in values:
                if isinstance(value, int) and not NUMBERED.search(known[name]):
                    raise WorkflowFailure(
                        f"{key} is {value!r}; expected: a text.",
                        hint=QUOTES,
                    )


def long_name(key: str) -> str:
    """A hint with pybids' name of the entity that file names write as `key-`; empty if none."""
    found = [n for n, pattern in load_entities().items() if f"+{key}-(" in pattern]
    return f"did you mean {found[0]!r}?" if found else ""
