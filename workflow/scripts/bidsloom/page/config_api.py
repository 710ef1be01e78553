"""`/api/v1/`: config files, their schema, and templates of new studies."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from ..base.errors import WorkflowFailure
from ..config.schema import load_schema
from ..prepare.study_folder import list_apps
from .board import describe_faults
from .config_files import difference, find_faults, read_file, save, value_of, version_of, with_value
from .context import Context, Unknown, body
from .studies import Served


def make_config_api(context: Context) -> Blueprint:
    """The routes of config files and templates."""
    api = Blueprint("config_api", __name__, url_prefix="/api/v1")

    def owned(name: str) -> Served:
        """A study whose config may be shown: it can hold passwords, so not read-only."""
        if context.access.read_only:
            raise Unknown("The config is not shown by a page that only shows.")
        return context.served(name)

    @api.get("/schema")
    def schema() -> Response:
        """The schema of a config, with descriptions, defaults and examples."""
        return jsonify(load_schema())

    @api.get("/templates")
    def templates() -> Response:
        """The apps of which there is a template; a study without one is of any BIDS App."""
        return jsonify(templates=list_apps())

    @api.post("/studies")
    def make() -> tuple[Response, int]:
        """A new study: a folder with a config to fill in."""
        given = body()
        app = given.get("app") or None
        if app is not None and app not in list_apps():
            raise WorkflowFailure(f"There is no template {app!r}.", hint="see /api/v1/templates.")
        served = context.studies.make(str(given.get("name", "")), app)
        return jsonify(id=served.id, folder=str(served.folder)), 201

    @api.get("/studies/<name>/config")
    def show(name: str) -> Response:
        """The config file: its text, its values where it can be read, its faults."""
        served = owned(name)
        text = read_file(served.config)
        return jsonify({**describe_config(served, text), "path": str(served.config)})

    @api.post("/studies/<name>/config/check")
    def check(name: str) -> Response:
        """What a change would make of the file: its text, the difference, the faults."""
        return jsonify(propose(owned(name), body())[0])

    @api.put("/studies/<name>/config")
    def write(name: str) -> Response | tuple[Response, int]:
        """Save a change, unless it has faults or the file has changed meanwhile."""
        served = owned(name)
        told, new = propose(served, body())
        if told["faults"]:
            error = {"message": "The config has faults; nothing was saved.", "hint": ""}
            return jsonify(error={**error, "faults": told["faults"]}), 422
        save(served.config, new)
        return jsonify({**told, "version": version_of(new)})

    return api


def describe_config(served: Served, text: str) -> dict[str, Any]:
    """A config's text with what is in it; `value` is None for a text that is no config."""
    faults = find_faults(served.config, text, base=served.folder)
    try:
        value = value_of(served.config, text)
    except WorkflowFailure:
        value = None
    return {
        "text": text,
        "value": value,
        "version": version_of(text),
        "faults": describe_faults(faults),
    }


def propose(served: Served, given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A change of the config, by `value` or `text`; returns what it means, and the new text.

    Raises `WorkflowFailure` where the file is another one than the change is of.
    """
    old = read_file(served.config)
    if given.get("version", version_of(old)) != version_of(old):
        raise WorkflowFailure(
            f"{served.config.name} was changed meanwhile.", hint="load it again, then change it."
        )
    if isinstance(given.get("value"), dict):
        new = with_value(served.config, old, given["value"])
    elif isinstance(given.get("text"), str):
        new = given["text"]
    else:
        raise WorkflowFailure("There is nothing to save.", hint="send value, or text.")
    told = describe_config(served, new)
    return {**told, "diff": difference(served.config, old, new)}, new
