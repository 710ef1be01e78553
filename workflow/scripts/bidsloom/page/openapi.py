"""The API's description."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from flask import Blueprint, Response, jsonify

FILE = Path(__file__).with_name("openapi.yaml")


@cache
def load_description() -> dict[str, Any]:
    """`openapi.yaml` as a mapping."""
    return yaml.safe_load(FILE.read_text())


def make_openapi() -> Blueprint:
    """The route of the description."""
    api = Blueprint("openapi", __name__, url_prefix="/api/v1")

    @api.get("/openapi.json")
    def openapi() -> Response:
        """The description of this API."""
        return jsonify(load_description())

    return api
