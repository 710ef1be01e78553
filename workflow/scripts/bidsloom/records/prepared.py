"""The prepared study, as jobs know it: `results/<study>/prepared.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ..base.errors import WorkflowFailure
from ..base.files import read_json, write_json
from ..config import Study
from ..containers.runtimes import Runtime
from .json_fields import known_fields


@dataclass(frozen=True)
class Prepared:
    """A study that was prepared.

    Attributes
    ----------
    dataset_id : str
        DataLad's id of the output dataset.
    bases : Mapping[str, str]
        Path of each output dataset ("" for the main one) -> the commit that
        jobs start from.
    input_commit : str
        The input's pinned commit.
    further_commits : Mapping[str, str]
        Path of each further input -> its pinned commit.
    container_key, image : str
        The annex key under which the image is registered, and the id by which
        fingerprints know it.
    identity : tuple[str, ...]
        Name and address that sign commits on nodes where git knows nobody.
    lock_token : str | None
        What stands in the file beside the lock file.
    made_from : str
        A digest of what the study was prepared from.

    """

    dataset_id: str | None = None
    bases: Mapping[str, str] = field(default_factory=dict)
    input_commit: str = ""
    further_commits: Mapping[str, str] = field(default_factory=dict)
    container_key: str = ""
    image: str = ""
    runtime: Runtime = Runtime.NONE
    identity: tuple[str, ...] = ()
    lock_token: str | None = None
    made_from: str = ""


def read_prepared(study: Study) -> Prepared | None:
    """The prepared study; None where it is not prepared."""
    value = read_json(study.files.prepared)
    if not isinstance(value, Mapping):
        return None
    known = known_fields(Prepared, value)
    if "runtime" in known:
        known["runtime"] = Runtime(known["runtime"])
    known["identity"] = tuple(known.get("identity", ()))
    return Prepared(**known)


def require_prepared(study: Study) -> Prepared:
    """The prepared study; raises `WorkflowFailure` where it is not prepared."""
    prepared = read_prepared(study)
    if prepared is None:
        raise WorkflowFailure(
            f"Study {study.name} is not prepared: {study.files.prepared} is missing.",
            hint="run `snakemake --cores 1 prepare_study list_subjects` first.",
        )
    return prepared


def write_prepared(study: Study, prepared: Prepared) -> None:
    """Write what jobs need to know of the prepared study."""
    write_json(study.files.prepared, {**asdict(prepared), "runtime": prepared.runtime.value})
