"""What all routes share: the studies, their boards, and who may act."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, jsonify, request

from ..base.errors import ConfigFailure, WorkflowFailure
from ..config import Study
from .access import Access
from .board import Board, describe_faults
from .studies import Served, Studies


class Unknown(Exception):
    """A study, a unit or a command that is not there."""


@dataclass
class Context:
    """One page; `environment` is what commands are started with."""

    app: Flask
    studies: Studies
    access: Access
    environment: Mapping[str, str]
    _boards: dict[str, Board] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def served(self, name: str) -> Served:
        """A study by its id; raises `Unknown`."""
        found = self.studies.find(name)
        if found is None:
            raise Unknown(f"There is no study {name} here.")
        return found

    def study(self, name: str) -> Study:
        """What a study's config asks for, or asked for before it had faults."""
        served = self.served(name)
        try:
            return served.study()
        except ConfigFailure:
            if last := served.last_study():
                return last
            raise

    def board(self, name: str) -> Board:
        """The board of a study."""
        served = self.served(name)
        with self._lock:
            if self._boards.get(name) is None or self._boards[name].served is not served:
                self._boards[name] = Board(served)
            return self._boards[name]


def body() -> dict[str, Any]:
    """The mapping that a request holds; empty where it holds nothing."""
    value = request.get_json(silent=True) if request.content_length else {}
    if not isinstance(value, dict):
        raise WorkflowFailure("The request holds no JSON object.", hint='send {"name": value}.')
    return value


def answer_failures(app: Flask) -> None:
    """Failures become answers: a message, a hint, and the faults of a config at their keys."""

    @app.errorhandler(WorkflowFailure)
    def failed(e: WorkflowFailure) -> tuple[Response, int]:
        error: dict[str, Any] = {"message": e.message, "hint": e.hint}
        if isinstance(e, ConfigFailure):
            error["faults"] = describe_faults(e.problems)
        return jsonify(error=error), 422 if isinstance(e, ConfigFailure) else 409

    @app.errorhandler(Unknown)
    def unknown(e: Unknown) -> tuple[Response, int]:
        return jsonify(error={"message": str(e), "hint": ""}), 404

    @app.errorhandler(500)
    def broken(e: Exception) -> tuple[Response, int]:
        message = "The page has met an error of its own."
        return jsonify(
            error={"message": message, "hint": "the terminal in which it runs says more."}
        ), 500

    for code, message in ((404, "There is nothing here."), (405, "That cannot be done here.")):
        app.register_error_handler(
            code, lambda e, m=message, c=code: (jsonify(error={"message": m, "hint": ""}), c)
        )
