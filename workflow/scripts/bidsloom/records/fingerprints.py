"""What a unit's result is made from, as a fingerprint, and what of it changed, in words.

CPUs, memory, and the paths of files and stores are not part of it: they change
no result.  The output dataset keeps what its results are made from
(`config.layout.MADE_FROM`), so that a change can be named even when `results/` is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..base.files import digest
from ..config import Study
from ..containers.runtimes import call_format, choose_runtime
from ..units.unit import GROUP, Unit

# Longer values are not shown.
VALUE_LENGTH = 40


def made_from(study: Study, image_id: str) -> dict[str, Any]:
    """What all results of a study are made from, beside the input; keys are those of the config.

    Of variables it has only digests: their values may be secrets.
    """
    container = study.container
    return {
        "image": image_id,
        "command": {
            "container.name": container.name,
            "container.runtime": "none" if container.runtime == "none" else "isolated",
            "container.call_fmt": container.call_fmt,
            "container.outputs": list(container.outputs),
            "container.outputs.repo": [further.path for further in study.further_outputs],
            "container.session_folders": container.session_folders,
            "container.archive": container.archive,
            "container.bids_args.analysis_level": container.analysis_level,
            "container.bids_args": list(container.arguments),
            "container.executable": list(container.executable),
            "container.participant_flag": container.participant_flag,
            "container.session_flag": container.session_flag,
            "container.bids_filter": container.bids_filter,
            "datalad.input_path": study.bids_path,
            "datalad.inputs": {
                f.path: [*f.flag, *filter(None, [f.folder, f.bids_dir and "bids_dir"])]
                for f in study.further_inputs
            },
        },
        "environment": {
            "hpc.environment": {
                name: digest(value)[:8] for name, value in study.resources.environment
            },
            "container.binds": [bind.target for bind in container.binds],
            "container.freesurfer_license": bool(container.freesurfer_license),
            "container.templateflow_home": bool(container.templateflow_home),
        },
    }


class Fingerprints:
    """What the results of a study's units depend on, under one image.

    What units have in common is digested once.
    """

    def __init__(self, study: Study, image_id: str) -> None:
        self.study = study
        self.made = made_from(study, image_id)
        self.image = digest(self.made["image"])
        self.environment = digest(self.made["environment"])
        # By whether the unit is a session, and the further inputs that it takes from.
        self.commands: dict[tuple[bool, frozenset[str]], str] = {}

    def of(self, unit: Unit) -> str:
        """The fingerprint of a unit, as trailers hold it."""
        return fingerprint_text(self.causes(unit))

    def causes(self, unit: Unit) -> dict[str, str]:
        """What a unit's result depends on, as one digest a cause.

        `input` is the unit's tree, what it inherits and what it takes of further
        inputs, `image` the container image, `command` how the app is called,
        `environment` the variables given to it and the names under which it sees
        other files.
        """
        return {
            "input": digest([unit.tree, unit.inherited, *unit.further]),
            "image": self.image,
            "command": self.command_digest(unit),
            "environment": self.environment,
        }

    def command_digest(self, unit: Unit) -> str:
        """A digest of how the app is called for a unit."""
        paths = {path for path, _ in unit.further}
        further = self.study.further_inputs
        here = frozenset(f.path for f in further if f.of(unit.subject).path in paths)
        kind = bool(unit.session), here
        if kind not in self.commands:
            command = dict(self.made["command"])
            if not unit.session:
                del command["container.session_flag"], command["container.session_folders"]
            flags = command["datalad.inputs"]
            command["datalad.inputs"] = {path: flag for path, flag in flags.items() if path in here}
            self.commands[kind] = digest(command)
        return self.commands[kind]


def group_fingerprint(study: Study, members: str, image_id: str) -> dict[str, str]:
    """What the group level's result depends on; `members` is a digest of the units' results."""
    made = made_from(study, image_id)
    container = study.container
    command = {
        **made["command"],
        "container.bids_args.analysis_level": GROUP,
        "container.bids_args": list(container.group_arguments),
        "container.group_inputs": list(container.group_inputs),
    }
    return {
        "input": members,
        "image": digest(made["image"]),
        "command": digest(command),
        "environment": digest(made["environment"]),
    }


def fingerprint_text(parts: Mapping[str, str]) -> str:
    """The fingerprint as a trailer holds it: the causes can be read."""
    return " ".join(f"{cause}={value}" for cause, value in sorted(parts.items()))


def changed_causes(old: str, new: str) -> list[str]:
    """Causes in which two fingerprints, as trailers hold them, differ."""
    before, after = (dict(part.split("=", 1) for part in text.split()) for text in (old, new))
    return [cause for cause in after if before.get(cause) != after[cause]]


def describe_changes(
    causes: Iterable[str], old: Mapping[str, Any] | None, new: Mapping[str, Any]
) -> str:
    """In words why a result no longer holds; `old` is what it was made from, None if unknown."""
    told = []
    for cause in causes:
        found = list(changes_of(cause, old[cause], new[cause])) if old and cause in old else []
        told += found or [f"{cause} changed"]
    return ", ".join(told)


def changes_of(cause: str, old: Any, new: Any) -> Iterator[str]:
    """What changed within one cause."""
    if not isinstance(old, Mapping):
        return
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if key == "container.bids_args" and before is not None:
            yield from changed_items("argument", flags_of(before), flags_of(after), show=True)
        elif key == "hpc.environment" and before is not None:
            yield from changed_items("variable", before, after)
        else:
            yield f"{key} changed"


def changed_items(
    what: str, old: Mapping[str, Any], new: Mapping[str, Any], *, show: bool = False
) -> Iterator[str]:
    """Names that were added, removed or have another value, which `show` adds if it is short."""
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"{what} {name} added"
        elif name not in new:
            yield f"{what} {name} removed"
        elif old[name] != new[name]:
            change = f"{' '.join(old[name])} -> {' '.join(new[name])}" if show else ""
            yield f"{what} {name} changed" + (
                f" ({change})" if 0 < len(change) <= VALUE_LENGTH else ""
            )


def flags_of(arguments: Iterable[str]) -> dict[str, list[str]]:
    """A command line's flags with their values."""
    words = list(arguments)
    starts = [n for n, word in enumerate(words) if word.startswith("-") and not is_number(word)]
    flags: dict[str, list[str]] = {}
    for start, end in pairwise([*starts, len(words)]):
        flags.setdefault(words[start], []).extend(words[start + 1 : end])
    return flags


def is_number(word: str) -> bool:
    """True for a value such as `-0.5`, which looks like a flag."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def preparation(study: Study, commit: str, image_id: str, further: Mapping[str, str]) -> str:
    """A digest of all that the study dataset is prepared from."""
    container = study.container
    return digest(
        [commit, image_id, container.name, call_format(study), choose_runtime(study)]
        + [container.outputs, container.image, container.dataset]
        + [study.input_url, study.input_version, study.input_path, study.output_url]
        + [repr(study.further_outputs)]
        + [sorted(further.items()), repr(study.further_inputs), made_from(study, image_id)]
        + [str(study.lock_file)]
    )
