"""`/api/v1/`: how a study stands, its units, and what can be done.

`openapi.yaml` describes it.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Blueprint, Response, jsonify, request

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.runners import node_name
from ..records.evidence import open_inside
from ..reporting.report_page import describe_detail
from ..reporting.unit_pages import links_of_unit
from ..reporting.unit_states import Row
from ..scheduling.cancel import cancel_units
from .actions import ACTIONS, Place, command_of, has_cluster, usable_cores
from .board import View, differences
from .context import Context, Unknown, body
from .files import address
from .runs import Run, read_output, stop
from .studies import Served

# Of a log or an output at most so much is sent at once.
CHUNK = 256 * 1024
MOST_UNITS = 1000
SORTS = ("unit", "state", "attempts", "seconds", "memory_mb")


def make_api(context: Context) -> Blueprint:
    """The routes of studies, units, actions and commands."""
    api = Blueprint("api", __name__, url_prefix="/api/v1")
    add_study_routes(api, context)
    add_unit_routes(api, context)
    add_run_routes(api, context)
    return api


def add_study_routes(api: Blueprint, context: Context) -> None:
    """How studies stand."""

    @api.get("/session")
    def session() -> Response:
        """Who serves the page, and the token that an action needs."""
        return jsonify(
            csrf="" if context.access.read_only else context.access.csrf,
            read_only=context.access.read_only,
            user=getpass.getuser(),
            host=node_name(),
            version=own_version(),
            cores=usable_cores(),
            cluster=has_cluster(),
            makes_studies=context.studies.root is not None,
        )

    @api.get("/studies")
    def studies() -> Response:
        """All studies, each with its counts."""
        return jsonify(studies=[describe_study(context, s) for s in context.studies.all()])

    @api.get("/studies/<name>")
    def status(name: str) -> Response:
        """How a study stands; units are listed by themselves."""
        board = context.board(name)
        view = board.view()
        facts = {key: value for key, value in view.facts.items() if key != "states"}
        return jsonify(id=name, version=version_name(board.name, view), made=view.made, **facts)

    @api.get("/studies/<name>/changes")
    def changes(name: str) -> Response:
        """What has changed since a version; everything without one."""
        board = context.board(name)
        view = board.view()
        told = version_name(board.name, view)
        if request.headers.get("If-None-Match") == f'"{told}"':
            return Response(status=304)
        board_name, _, number = request.args.get("since", "").rpartition(".")
        known = int(number) if board_name == board.name and number.isdigit() else None
        answer = jsonify(version=told, made=view.made, **differences(view, known))
        answer.headers["ETag"] = f'"{told}"'
        return answer


def add_unit_routes(api: Blueprint, context: Context) -> None:
    """Units: all by state, one with all that is known, its log."""

    @api.get("/studies/<name>/units")
    def units(name: str) -> Response:
        """Some units, by state, cause and words, sorted, in parts."""
        view = context.board(name).view()
        asked = request.args
        found = find_units(
            view, state=asked.get("state", ""), cause=asked.get("cause", type=int),
            words=asked.get("search", "").lower().split(),
        )  # fmt: skip
        key = asked.get("sort", "unit").removeprefix("-")
        if key not in SORTS:
            raise WorkflowFailure(f"sort={key} is not known.", hint=f"one of {', '.join(SORTS)}.")
        if asked.get("sort", "unit") != "unit":
            down = asked["sort"].startswith("-")
            # What is not known comes last, whichever way is sorted.
            known = sorted(
                (c for c in found if c[key] is not None), key=lambda c: c[key], reverse=down
            )
            found = [*known, *(c for c in found if c[key] is None)]
        offset = max(0, asked.get("offset", 0, type=int))
        limit = min(MOST_UNITS, max(1, asked.get("limit", 100, type=int)))
        return jsonify(total=len(found), offset=offset, units=found[offset : offset + limit])

    @api.get("/studies/<name>/units/<unit>")
    def unit(name: str, unit: str) -> Response:
        """All that is known of a unit: attempts, last words, evidence, its own pages."""
        row = row_of(context, name, unit)
        links = links_of_unit(context.study(name), row)
        told = describe_detail(row, links)
        for kind in links:
            for link in told.get(kind, ()):
                link["href"] = address(context.access, name, unit, link["href"])
        return jsonify(
            unit=unit, state=row.state, node=row.node, since=row.since, job=row.job,
            commit=row.commit, attempts=row.attempts, usage=row.usage and row.usage.to_json(),
            detail=told,
        )  # fmt: skip

    @api.get("/studies/<name>/units/<unit>/log")
    def unit_log(name: str, unit: str) -> Response:
        """A unit's log as text, from an offset on; the end of it without one."""
        row = row_of(context, name, unit)
        files = context.study(name).files
        try:
            with open_inside(files.path, str(files.log(row.unit).relative_to(files.path))) as f:
                size = f.seek(0, 2)
                f.seek(offset_of(size))
                text = f.read(CHUNK)
        except (OSError, ValueError):
            raise Unknown(f"{unit} has no log.") from None
        return text_answer(text, size)


def add_run_routes(api: Blueprint, context: Context) -> None:
    """Actions, and the commands that they started."""

    @api.post("/studies/<name>/actions/<action>")
    def act(name: str, action: str) -> Response | tuple[Response, int]:
        """Do something; all but cancel start a command, of which one runs at a time."""
        served, given = context.served(name), body()
        units = chosen_units(context, name, given.get("units", []))
        if action == "cancel":
            plan = cancel_units(
                served.study(), units, with_neighbours=given.get("with_neighbours") is True
            )
            context.board(name).view(fresh=True)
            return jsonify(cancelled=list(plan.units), shared=plan.shared, absent=list(plan.absent))
        if action not in ACTIONS:
            raise Unknown(f"There is no action {action}.")
        run = start(context, served, action, units, place_of(given))
        context.board(name).view(fresh=True)
        return jsonify(run.to_json()), 202

    @api.get("/studies/<name>/runs")
    def runs(name: str) -> Response:
        """The command that runs now, and those that were started from the page."""
        served, actions = context.served(name), context.study(name).files.actions
        active = served.runs.active(actions)
        return jsonify(
            active=active and active.to_json(),
            runs=[run.to_json() for run in served.runs.list(actions)],
        )

    @api.get("/studies/<name>/runs/<run>")
    def one_run(name: str, run: str) -> Response:
        """A command: what it is, whether it runs, how it ended."""
        return jsonify(run_of(context, name, run).to_json())

    @api.get("/studies/<name>/runs/<run>/output")
    def output(name: str, run: str) -> Response:
        """What a command printed, as text, from an offset on; the end of it without one."""
        found = run_of(context, name, run)
        size = read_output(found, 0, 0)[1]
        return text_answer(*read_output(found, offset_of(size), CHUNK))

    @api.post("/studies/<name>/runs/<run>/stop")
    def stop_run(name: str, run: str) -> Response:
        """End a command as Ctrl-C does; it takes its time to clean up."""
        found = run_of(context, name, run)
        if not found.running:
            raise WorkflowFailure(f"{found.action} does not run any more.")
        stop(found)
        return jsonify(found.to_json())


def describe_study(context: Context, served: Served) -> dict[str, Any]:
    """A study in the list of all."""
    told: dict[str, Any] = {"id": served.id, "folder": str(served.folder), "name": served.id}
    try:
        study = served.study()
        facts = context.board(served.id).view().facts
        told |= {"name": study.name, "app": study.container.name, "counts": facts.get("counts", {})}
        told |= {"running": facts["activity"]["run"] is not None, "faults": 0}
    except ConfigFailure as e:
        told |= {"app": "", "counts": {}, "running": False, "faults": len(e.problems)}
    return told


def start(context: Context, served: Served, action: str, units: list[str], place: Place) -> Run:
    """Start the command of an action.  Raises `WorkflowFailure` where another one runs."""
    study = served.study()
    command = command_of(
        study, action, folder=served.folder, config=served.config, place=place, units=units
    )
    return served.runs.start(
        study.files.actions, action, command, env=context.environment, units=units
    )


def place_of(given: dict[str, Any]) -> Place:
    """Where the jobs of an action run: `where` is `here` or `cluster`, `cores` a number."""
    cores, where = given.get("cores", usable_cores()), given.get("where", "here")
    if not isinstance(cores, int) or isinstance(cores, bool) or not 1 <= cores <= 4096:
        raise WorkflowFailure(f"cores is {cores!r}.", hint="send a whole number, such as 4.")
    if where not in ("here", "cluster"):
        raise WorkflowFailure(f"where is {where!r}.", hint="send here or cluster.")
    return Place(cluster=where == "cluster", cores=cores)


def chosen_units(context: Context, name: str, given: object) -> list[str]:
    """Units by their names; raises `WorkflowFailure` for one that the study does not have."""
    if not isinstance(given, list) or not all(isinstance(unit, str) for unit in given):
        raise WorkflowFailure("units is no list of names.", hint='send ["sub-01", "sub-02"].')
    known = context.board(name).view().rows if given else {}
    for unit in given:
        if unit not in known:
            raise WorkflowFailure(f"{unit[:100]}: there is no such unit in this study.")
    return list(dict.fromkeys(given))


def row_of(context: Context, name: str, unit: str) -> Row:
    """A unit's row; raises `Unknown`."""
    row = context.board(name).view().rows.get(unit)
    if row is None:
        raise Unknown(f"There is no unit {unit} in this study.")
    return row


def run_of(context: Context, name: str, run: str) -> Run:
    """A command by its id; raises `Unknown`."""
    found = context.served(name).runs.find(context.study(name).files.actions, run)
    if found is None:
        raise Unknown(f"There is no command {run}.")
    return found


def find_units(
    view: View, *, state: str, cause: int | None, words: Iterable[str]
) -> list[dict[str, Any]]:
    """The units that a question asks for."""
    words = list(words)
    matches: Callable[[dict[str, Any]], bool] = lambda c: (  # noqa: E731
        (not state or c["state"] == state)
        and (cause is None or c["cause"] == cause)
        and (not words or all(word in text_of(c) for word in words))
    )
    return [cells for cells in view.cells.values() if matches(cells)]


def text_of(cells: dict[str, Any]) -> str:
    """What a search looks through."""
    detail = cells["detail"] or {}
    told = [cells["unit"], cells["state"], cells["commit"], cells["node"]]
    told += [str(value) for value in detail.values()]
    return " ".join(told).lower()


def offset_of(size: int) -> int:
    """Where a text is to be read from."""
    asked = request.args.get("offset", type=int)
    return max(0, size - CHUNK // 4) if asked is None else max(0, min(asked, size))


def text_answer(text: bytes, size: int) -> Response:
    """A part of a text, and how long all of it is."""
    answer = Response(text, content_type="text/plain; charset=utf-8")
    answer.headers["X-Total-Bytes"] = str(size)
    return answer


def version_name(board: str, view: View) -> str:
    """A version that means nothing to another process."""
    return f"{board}.{view.version}"


def own_version() -> str:
    """The version of the installed package; empty in a repository."""
    try:
        return version("bidsloom")
    except PackageNotFoundError:
        return ""
