"""The report of a study: tables, and a page that also explains the study to others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..base.errors import CommandError, FailureClass
from ..base.files import iterate_tsv, read_json, read_tsv, write_json, write_text, write_tsv
from ..base.paths import PACKED, REPOSITORY
from ..base.runners import call, call_annex, call_git, call_git_records, call_git_success
from ..checks.merged_bids import describe_merged_bids, describe_validation, read_merged_bids
from ..config import Study
from ..config.expects import suggest_set
from ..config.request import Request
from ..config.study import Container
from ..containers.runtimes import Runtime
from ..datasets.output_datasets import list_further_outputs, main_output
from ..datasets.stores import read_setting
from ..job.app_command import app_command
from ..job.unit_job import Job
from ..proof.outcome import describe_proof
from ..records.attempts import Attempt
from ..records.merge_outcome import read_merge_outcome
from ..records.prepared import Prepared, read_prepared
from ..records.proof import read_proof
from ..units.selection import BEYOND
from ..units.unit_tables import read_unit
from .causes import find_causes
from .crashes import find_crashes
from .processing_status import write_processing_status
from .report_page import Pages, render_page
from .sizing import size_study
from .sizing_words import describe_estimates, describe_limits, describe_method, describe_proposals
from .unit_pages import Link, collect_links, with_kept_results
from .unit_states import Row, collect_rows, count_states

COLUMNS = ["unit", "state", "failure_class", "exit_code", "attempts", "seconds"]
COLUMNS += ["memory_mb", "cpu_seconds", "scratch_mb", "output_bytes", "commit", "reason"]
COLUMNS += ["left_out", "notes", "page", "next"]


def note_run(study: Study, *, outcome: str, log: str = "") -> None:
    """Write how the run ended: "finished", or "failed" with Snakemake's `log`."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(study.files.run, {"outcome": outcome, "ended": now, "log": log})


def write_report(study: Study) -> list[Row]:
    """Write `report.tsv`, `report.json` and `report.html` of a study; returns the rows."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = with_kept_results(study, [with_own_time(row, study) for row in collect_rows(study)])
    facts = {"made": now, **study_facts(study, rows)}
    links = collect_links(study, rows)
    units = [{**row.to_json(), **describe_links(links.get(row.unit, {}))} for row in rows]
    write_tsv(study.files.report_table, COLUMNS, map(table_row, units))
    write_processing_status(study, rows)
    write_json(study.files.report_data, {**facts, "units": units})
    page = render_page(facts, rows, pages=find_pages(study, facts["main"]), links=links)
    write_text(study.files.report_page, page)
    return rows


def describe_links(links: Mapping[str, Sequence[Link]]) -> dict[str, list[str]]:
    """The links to a unit's own pages and evidence, as relative URLs."""
    return {kind: [link.href for link in links.get(kind, ())] for kind in ("pages", "evidence")}


def table_row(unit: Mapping[str, Any]) -> dict[str, Any]:
    """A unit as a row of the table: of lists their length, of its pages the first one."""
    return {
        **unit,
        **(unit["usage"] or {}),
        "left_out": len(unit["left_out"]) or None,
        "notes": len(unit["notes"]) or None,
        "page": next(iter([*unit["pages"], *unit["evidence"]]), None),
    }


def with_own_time(row: Row, study: Study) -> Row:
    """The row with the time of one unit, where its job asked for that of several."""
    if row.usage is None or study.resources.units_per_job == 1:
        return row
    requested = replace(row.usage.requested, minutes=study.resources.job.minutes)
    return replace(row, usage=replace(row.usage, requested=requested))


def study_facts(study: Study, rows: list[Row]) -> dict:
    """What the report says of the study as a whole."""
    facts = {**fixed_facts(study), **changing_facts(study, rows), **costly_facts(study, rows)}
    return {**facts, "bids": describe_merged_bids(study) if study.report.validate else None}


def fixed_facts(study: Study) -> dict[str, Any]:
    """What stays as it is while jobs run; programs are asked for their versions."""
    prepared = read_prepared(study)
    return {
        "study": study.name,
        "input": study.input_url,
        "input_commit": prepared and prepared.input_commit,
        "app": study.container.name,
        "image": str(study.container.image),
        "container_key": prepared and prepared.container_key,
        "runtime": prepared and prepared.runtime.value,
        "call_format": registered_call_format(study, prepared),
        "command": example_command(study, prepared),
        "output": study.output_url,
        "output_folder": study.container.outputs[0],
        "store": main_output(study).store.git_url,
        "results": str(study.results),
        "versions": tool_versions(prepared.runtime if prepared else Runtime.NONE),
        "completeness": describe_completeness(study.container),
    }


def changing_facts(study: Study, rows: list[Row]) -> dict[str, Any]:
    """What a job, a merge or a proof may change."""
    causes = find_causes(rows)
    return {
        "run": read_json(study.files.run),
        "main": read_merge_outcome(study).main,
        "counts": count_states(rows),
        "causes": [{**asdict(cause), "units": list(cause.units)} for cause in causes],
        "proof": describe_proof(read_proof(study)),
        "bids": describe_validation(read_merged_bids(study)) if study.report.validate else None,
    }


def costly_facts(study: Study, rows: list[Row]) -> dict[str, Any]:
    """What also changes with each job, and takes a while of thousands of units."""
    return {
        "crashes": [asdict(crash) for crash in find_crashes(study, rows)],
        "sizing": describe_sizing(study, rows),
    }


def describe_completeness(container: Container) -> dict[str, Any]:
    """By what a result counts as complete; a built-in set that would fit, where nothing is said."""
    defined = bool(container.expects)
    return {
        "defined": defined,
        "name": container.expects_name,
        "patterns": [expectation.pattern for expectation in container.expects],
        "suggested": "" if defined else suggest_set(container.name, container.image),
        "on_incomplete": container.on_incomplete or "",
    }


def registered_call_format(study: Study, prepared: Prepared | None) -> str | None:
    """How the image is called, as the study dataset has it."""
    if prepared is None:
        return None
    key = f"datalad.containers.{study.container.name}.cmdexec"
    return read_setting(study.dataset, prepared.bases[""], key)


def example_command(study: Study, prepared: Prepared | None) -> str | None:
    """The app's arguments for the first unit."""
    first = next(iterate_tsv(study.files.subjects), None)
    if prepared is None or first is None:
        return None
    return shlex.join(app_command(Job(study, read_unit(study, first["unit"]), prepared)))


def tool_versions(runtime: Runtime) -> dict[str, str]:
    """Versions of the programs on this machine; nodes may have others."""
    found = {
        "Snakemake": version("snakemake"),
        "DataLad": version("datalad"),
        "datalad-container": version("datalad-container"),
    }
    cwd = Path("/")
    asked = {
        "git-annex": lambda: call_annex(["version", "--raw"], cwd=cwd),
        "git": lambda: call_git(["version"], cwd=cwd),
    }
    if runtime is not Runtime.NONE:
        program = runtime.program
        asked[program] = lambda: call([program, "--version"], cwd=cwd).decode()
    if (REPOSITORY / ".git").exists():
        describe = ["describe", "--always", "--dirty", "--tags"]
        asked["bidsloom"] = lambda: call_git(describe, cwd=REPOSITORY)
    elif REPOSITORY == PACKED:
        found["bidsloom"] = version("bidsloom")
    for name, ask in asked.items():
        try:
            # Most of them name themselves first.
            found[name] = re.sub(r"^\D*version\s+", "", ask()).strip()
        except (CommandError, OSError):
            found[name] = "unknown here"
    return found


def find_pages(study: Study, main: str | None) -> Pages:
    """HTML reports in the merged output folder, and where their figures are.

    A level of the tree, one of each session's folder, and one unit's figures
    for all: few questions, however many units there are.
    """
    if not main:
        return Pages()
    try:
        repository, folder = merged_output_folder(study, main)
        names = list_names(repository, folder)
        for session in [name for name in names if name.startswith("ses-")]:
            names += [f"{session}/{name}" for name in list_names(repository, f"{folder}{session}")]
    except CommandError:
        return Pages()
    files = [name for name in names if re.search(r"(^|/)sub-[^/]*\.html$", name)]
    for first in files[:1]:
        parts = first[first.rfind("sub-") :].partition(".")[0].split("_")
        subject, session = parts[0], next((p for p in parts[1:2] if p.startswith("ses-")), "none")
        beside = f"{folder}{first[: first.rfind('/') + 1]}{subject}"
        for figures, place in (("subject", beside), ("session", f"{beside}/{session}")):
            if call_git_success(["cat-file", "-e", f"{place}/figures"], cwd=repository):
                return Pages.of(files, figures=figures)
    return Pages.of(files)


def list_names(repository: Path, folder: str) -> list[str]:
    """What is in a folder, as git names that."""
    return call_git_records(["ls-tree", "-z", "--name-only", folder], cwd=repository)


def merged_output_folder(study: Study, main: str) -> tuple[Path, str]:
    """The repository that holds the app's output folder, and the folder as git names it there."""
    path = study.container.outputs[0]
    for target in list_further_outputs(study):
        if target.path == path:
            commit = call_git(["rev-parse", f"{main}:{path}"], cwd=study.dataset)
            return target.dataset, f"{commit}:"
    return study.dataset, f"{main}:{path}/"


def describe_sizing(study: Study, rows: Sequence[Row]) -> dict | None:
    """What jobs should ask for and what the study will take; None before any unit is done."""
    listed = {row["unit"]: int(row["bytes"]) for row in read_tsv(study.files.subjects)}
    # The group level is no sample of the units.
    rows = [row for row in rows if row.unit in listed]
    usages = [row.usage for row in rows if row.usage]
    finished = sum(bool(row.commit) for row in rows)
    short = {
        "short_mb": ended_for_want_of(rows, FailureClass.OUT_OF_MEMORY, lambda asked: asked.mem_mb),
        "short_minutes": ended_for_want_of(rows, FailureClass.TIMEOUT, lambda asked: asked.minutes),
    }
    excluded = read_tsv(study.files.excluded)
    beyond = sum(row["reason"].startswith(BEYOND) for row in excluded)
    sizing = size_study(
        usages,
        units=len(listed) + beyond,
        left=len(listed) + beyond - finished,
        jobs=study.report.parallel_jobs,
        price=study.report.price_per_core_hour,
        **short,
    )
    if sizing is None:
        return None
    seen = [listed[row.unit] for row in rows if row.usage]
    return {
        **asdict(sizing),
        "words": {
            "proposals": describe_proposals(sizing, usages, **short),
            "estimates": describe_estimates(sizing),
            "limits": describe_limits(
                sizing,
                usages,
                **short,
                beyond=beyond,
                sample_bytes=mean(seen),
                study_bytes=mean(list(listed.values())),
            ),
            "method": describe_method(sizing),
        },
    }


def ended_for_want_of(
    rows: Sequence[Row], cause: FailureClass, resource: Callable[[Request], int | None]
) -> list[int]:
    """How much of a resource units had asked for, whose last attempt ended for want of it."""
    ends: list[Attempt] = [
        row.history[-1] for row in rows if row.failure_class == cause and row.history
    ]
    return [asked for end in ends if (asked := resource(end.requested))]


def mean(values: Sequence[float]) -> float:
    """The mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0
