"""Faults of the section `export`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.patterns import to_regex
from .places import is_inside, list_places, location
from .plain_values import shown
from .values import resolve_path, value_at

# Settings of a special remote that an export sets itself, or cannot have.
OWN_SETTINGS = {"name", "exporttree", "importtree", "uuid", "sameas", "autoenable", "chunk"}
# Folders that hold files of the study, by the kind of their key.
TAKEN = {"input", "store", "containers", "imports"}
# Words in names of settings whose values are secrets.
SECRET_WORDS = ("password", "secret", "token", "accesskey", "access_key")


def find_export_faults(config: Mapping, base: Path) -> Iterator[WorkflowFailure]:
    """Keys of the section `export` that exclude each other, or cannot be used."""
    export = value_at(config, "export")
    if not isinstance(export, Mapping):
        return
    to, remote = export.get("to"), export.get("remote")
    if to and remote:
        yield WorkflowFailure(
            "export.to and export.remote are both set; expected: one of them.",
            hint="delete the other one.",
        )
    if isinstance(to, str) and to:
        yield from folder_faults(config, to, base)
    if isinstance(remote, Mapping) and remote:
        yield from remote_faults(export, remote)
    patterns = export.get("leave_out")
    for number, pattern in enumerate(patterns if isinstance(patterns, list) else []):
        if isinstance(pattern, str):
            yield from pattern_faults(f"export.leave_out.{number}", pattern)


def folder_faults(config: Mapping, to: str, base: Path) -> Iterator[WorkflowFailure]:
    """Why a folder cannot be the one that is exported to."""
    if "://" in to:
        yield WorkflowFailure(
            f"export.to is {shown('export.to', to)}; expected: the path of a folder.",
            hint="use export.remote for what is no folder.",
        )
        return
    try:
        path = Path(os.path.realpath(resolve_path(to, base)))
        places = [
            (given.key, location(given, base))
            for given in list_places(config)
            if given.kind in TAKEN
        ]
    except (ValueError, RuntimeError) as e:
        yield WorkflowFailure(
            f"export.to is {shown('export.to', to)}, which is no usable path: {e}.",
            hint="write the path in full.",
        )
        return
    places.append(("the study's results", Path(os.path.realpath(base / "results"))))
    for key, place in places:
        if place and is_inside(path, place, either=True):
            yield WorkflowFailure(
                f"export.to ({path}) and {key} ({place}) are the same folder, or one is inside "
                "the other.",
                hint="name a folder of its own.",
            )


def remote_faults(export: Mapping, remote: Mapping) -> Iterator[WorkflowFailure]:
    """Settings of a special remote that an export cannot have."""
    if remote.get("type") == "directory" and not str(remote.get("directory", "")).startswith("/"):
        yield WorkflowFailure(
            "export.remote is of the type directory, but directory is no absolute path.",
            hint="for example {type: directory, directory: /data/handover}; or use export.to.",
        )
    if not remote.get("type"):
        yield WorkflowFailure(
            "export.remote has no type.",
            hint="for example {type: S3, bucket: mystudy-fmriprep}; git annex help initremote "
            "lists the types.",
        )
    if export.get("form") == "zip":
        yield WorkflowFailure(
            "export.form is 'zip', but export.remote is set; only a folder can have zip files.",
            hint="delete one of the two.",
        )
    for name in sorted(map(str, remote)):
        if name in OWN_SETTINGS:
            yield WorkflowFailure(
                f"export.remote.{name} is set; an export sets that itself.", hint="delete it."
            )
        elif any(word in name.lower() for word in SECRET_WORDS):
            yield WorkflowFailure(
                f"export.remote.{name} looks like a secret, which does not belong into a config.",
                hint="delete it; git-annex reads AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
                "WEBDAV_USERNAME and WEBDAV_PASSWORD, from the environment.",
            )
    if remote.get("encryption", "none") != "none":
        yield WorkflowFailure(
            f"export.remote.encryption is {shown('', remote['encryption'])}; files that others "
            "read are not encrypted.",
            hint="delete it.",
        )


def pattern_faults(key: str, pattern: str) -> Iterator[WorkflowFailure]:
    """Why a pattern can match no exported file."""
    reason = ""
    if pattern.startswith(("/", "~")):
        reason = "it is absolute"
    elif {"", ".", ".."} & set(pattern.split("/")):
        reason = "it has an empty part, or a part '.' or '..'"
    else:
        try:
            to_regex(pattern)
        except ValueError as e:
            reason = f"it has {e}"
    if reason:
        yield WorkflowFailure(
            f"{key} is {pattern!r}, which can match no file: {reason}.",
            hint="a pattern is relative to the root of what is exported, for example '**/logs'.",
        )
