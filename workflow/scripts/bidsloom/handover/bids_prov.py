"""Provenance of each merged result as BIDS-Prov describes it, from its run record alone.

The files are those of a dataset's folder `prov/`: for each unit its
activity, the entities that it used and generated, its software and its
environment.  They are made from the unit's commit and from nothing else, so they
are the same bytes wherever they are made.
https://bids-specification.readthedocs.io, "Provenance" (BEP028)
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..base.batching import in_batches
from ..base.datalad_run import RECORD_END, RECORD_START
from ..base.files import digest, read_json, write_json, write_text, write_tsv
from ..base.runners import call, call_git_lines, read_objects
from ..config import Study
from ..config.layout import MADE_FROM
from ..datasets.annex import SUBDATASET, entry_key
from ..datasets.branches import Result, read_ledger, read_stand_ins
from ..datasets.output_datasets import list_outputs
from ..datasets.stored_files import ResultFiles, list_result_files
from ..datasets.stores import REMOTE_MAIN

UNITS_AT_ONCE = 100
TIME = "%Y-%m-%dT%H:%M:%SZ"
# How BIDS-Prov calls the checksums in keys of annexed files.
CHECKSUMS = {"MD5": "MD5", "SHA1": "SHA1", "SHA256": "SHA-256", "SHA512": "SHA-512"}


@dataclass(frozen=True)
class UnitRun:
    """What is known of the run that made a unit's result.

    `digests` are by path those of the files that it wrote, `made_from` is what
    the study was then, `registered` path -> commit of the datasets that it
    read, `version` the app's.
    """

    unit: str
    commit: str
    ended: str
    record: Mapping[str, Any]
    digests: Mapping[str, Mapping[str, str]]
    made_from: Mapping[str, Any]
    registered: Mapping[str, str]
    version: str


def write_provenance(study: Study) -> None:
    """Bring `results/<study>/prov/` up to date with what main holds."""
    ledger = read_ledger(study.dataset, REMOTE_MAIN)
    folder, index = study.files.provenance, study.files.provenance_index
    known = read_json(index) or {}
    for unit in known.keys() - ledger.keys():
        shutil.rmtree(study.files.provenance_of(prov_label(unit)), ignore_errors=True)
    due = [result for unit, result in sorted(ledger.items()) if known.get(unit) != result.commit]
    for run in read_runs(study, due):
        label = prov_label(run.unit)
        place = study.files.provenance_of(label)
        shutil.rmtree(place, ignore_errors=True)
        for suffix, content in describe_run(run, app=study.container.name).items():
            write_json(place / f"prov-{label}_{suffix}.json", content)
    rows = [
        {
            "provenance_label": f"prov-{prov_label(unit)}",
            "description": f"How {study.container.name} made the results of {unit}",
        }
        for unit in sorted(ledger)
    ]
    write_tsv(folder / "provenance.tsv", ["provenance_label", "description"], rows)
    about = {"description": {"Description": "What the provenance files are about."}}
    write_text(folder / "provenance.json", json.dumps(about, indent=1) + "\n")
    write_json(index, {unit: result.commit for unit, result in sorted(ledger.items())})


def prov_label(unit: str) -> str:
    """The label of a unit's provenance files: letters, digits and `+`, as BIDS has them."""
    return unit.replace("_", "+").replace("-", "")


def read_runs(study: Study, results: Iterable[Result]) -> Iterator[UnitRun]:
    """What is known of the runs that made some results, a few in memory together."""
    outputs = list_outputs(study)
    registered: dict[str, Mapping[str, str]] = {}
    for batch in in_batches(results, UNITS_AT_ONCE):
        commits = [result.commit for result in batch]
        files = list_result_files(outputs, commits)
        messages = read_messages(study, commits)
        made = read_objects([f"{c}:{MADE_FROM}" for c in commits], repository=study.dataset)
        for result, text in zip(batch, made, strict=True):
            parent, ended, record = messages[result.commit]
            if parent not in registered:
                registered[parent] = registered_at(study, parent)
            made_from = json.loads(text)
            yield UnitRun(
                unit=result.unit,
                commit=result.commit,
                ended=ended,
                record=record,
                digests=digests_of(files[result.commit]),
                made_from=made_from,
                registered=registered[parent],
                version=app_version(study, files[result.commit]) or made_from["image"],
            )


def read_messages(study: Study, commits: Iterable[str]) -> dict[str, tuple[str, str, Mapping]]:
    """Commit -> what it started from, when it was made (in UTC), and its run record."""
    out = call(
        ["git", "log", "--no-walk=unsorted", "--stdin", "-z", f"--date=format-local:{TIME}"]
        + ["--format=%H%n%P%n%ad%n%B"],
        cwd=study.dataset,
        stdin="".join(f"{commit}\n" for commit in commits),
        env={"TZ": "UTC"},
    )
    found = {}
    for entry in filter(None, out.decode(errors="surrogateescape").split("\0")):
        commit, parent, ended, message = entry.split("\n", 3)
        text = message.partition(RECORD_START)[2].partition(RECORD_END)[0]
        found[commit] = parent, ended, json.loads(text)
    return found


def registered_at(study: Study, commit: str) -> dict[str, str]:
    """Path -> commit of the inputs that a commit registers."""
    paths = [study.input_path, *(f.path for f in study.further_inputs if not f.is_pattern)]
    lines = call_git_lines(["ls-tree", commit, "--", *paths], cwd=study.dataset)
    entries = (line.split("\t") for line in lines)
    return {path: e.split()[2] for e, path in entries if e.startswith(SUBDATASET)}


def digests_of(files: ResultFiles) -> dict[str, dict[str, str]]:
    """Path -> checksums of each file that a result adds; removed files are left out."""
    found: dict[str, dict[str, str]] = {}
    for output in {o.path: o for o, _ in files.entries.values()}.values():
        own = {p: e for p, (o, e) in files.entries.items() if o.path == output.path}
        texts = read_stand_ins(output.dataset, own.values())
        for path, entry in own.items():
            if int(entry.mode) and entry.mode != SUBDATASET:
                text = texts.get(entry.blob)
                key = entry_key(entry.mode, text) if text is not None else None
                found[path] = checksum_of(key) if key else {"git-blob": entry.blob}
    return found


def checksum_of(key: str) -> dict[str, str]:
    """The checksum that an annex key states, by the name of its function; nothing without one."""
    match = re.fullmatch(r"([A-Z0-9]+?)E?(?:-[a-zA-Z]\d+)*--([0-9a-f]+)(?:\..*)?", key)
    return {CHECKSUMS[match[1]]: match[2]} if match and match[1] in CHECKSUMS else {}


def app_version(study: Study, files: ResultFiles) -> str:
    """The version that the app states in its own `dataset_description.json`; empty without one."""
    paths = [f"{output}/dataset_description.json" for output in study.container.outputs]
    for stored in files.locate(paths).values():
        try:
            value = json.loads(stored.read())
        except ValueError:
            continue
        made_by = value.get("GeneratedBy") if isinstance(value, Mapping) else None
        for tool in made_by if isinstance(made_by, list) else []:
            if isinstance(tool, Mapping) and tool.get("Version"):
                return str(tool["Version"])
    return ""


def describe_run(run: UnitRun, *, app: str) -> dict[str, dict]:
    """Suffix -> content of a unit's provenance files."""
    command = run.made_from["command"]
    software = identified(app, {"Label": app, "Version": run.version})
    runtime = str(command["container.runtime"])
    environment = identified(
        "environment",
        {
            "Label": f"container image {run.made_from['image']}, runtime {runtime}",
            "Dependencies": {app: run.version},
        },
    )
    activity = f"bids::prov#{app}-{run.commit[:8]}"
    image = identified(
        "provEntity",
        {
            "Label": f"container image of {app}",
            "Digest": checksum_of(run.made_from["image"]) or {"id": run.made_from["image"]},
        },
    )
    inputs = [path for path in run.record.get("inputs", []) if path not in run.digests]
    entities = [
        image,
        *(entity(path, Digest={"git-commit": c}) for path, c in sorted(run.registered.items())),
        *(entity(path) for path in inputs),
        *(
            entity(path, GeneratedBy=activity, **({"Digest": known} if known else {}))
            for path, known in sorted(run.digests.items())
        ),
    ]
    used = [environment["Id"], image["Id"], *(uri(path) for path in sorted(run.registered))]
    return {
        "act": {
            "Activities": [
                {
                    "Id": activity,
                    "Label": f"{app} of {run.unit}",
                    "Command": run.record["cmd"],
                    "AssociatedWith": [software["Id"]],
                    "Used": [*used, *map(uri, inputs)],
                    "EndedAtTime": run.ended,
                }
            ]
        },
        "ent": {"ProvEntities": entities},
        "env": {"Environments": [environment]},
        "soft": {"Software": [software]},
    }


def identified(label: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A provenance object whose identifier changes with its attributes."""
    return {"Id": f"bids::prov#{label}-{digest(attributes)[:8]}", **attributes}


def entity(path: str, **attributes: Any) -> dict[str, Any]:
    """A file or folder of the dataset."""
    return {"Id": uri(path), "Label": path.rpartition("/")[2], "AtLocation": path, **attributes}


def uri(path: str) -> str:
    """The BIDS URI of a path of the dataset."""
    return f"bids::{path}"
