"""What the last export did: `results/<study>/export.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..base.files import read_json, write_json
from ..config import Study
from .json_fields import known_fields


@dataclass(frozen=True, kw_only=True)
class ExportOutcome:
    """What an export did.

    Attributes
    ----------
    to : str
        The folder, or the special remote.
    main, tree : str
        The commit of main, and with a special remote the tree that was exported.
    complete : bool
        Whether all of it is there.
    files, bytes : int
        What is there now; with a special remote, what was looked at.
    copied, copied_bytes, removed : int
        The files that this export wrote and removed.
    missing : Mapping[str, str]
        Path -> why it is not there.
    foreign, lost_links : tuple[str, ...]
        Files there that no export wrote, and links that lead to no file of the dataset.

    """

    to: str = ""
    main: str = ""
    tree: str = ""
    complete: bool = False
    files: int = 0
    bytes: int = 0
    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()
    lost_links: tuple[str, ...] = ()


def read_export_outcome(study: Study) -> ExportOutcome | None:
    """What the last export did; None where there was none."""
    value = read_json(study.files.exported)
    if not isinstance(value, Mapping):
        return None
    known = known_fields(ExportOutcome, value)
    for name in ("foreign", "lost_links"):
        known[name] = tuple(known.get(name, ()))
    return ExportOutcome(**known)


def write_export_outcome(study: Study, outcome: ExportOutcome) -> None:
    """Write what an export did."""
    write_json(study.files.exported, asdict(outcome))
