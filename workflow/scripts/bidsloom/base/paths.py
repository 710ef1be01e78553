"""Where the workflow's own files are."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).parents[2]
REPOSITORY = SCRIPTS.parents[1]
SCHEMA_FILE = SCRIPTS.parent / "schemas" / "config.schema.yaml"
# Sets of files by which an app's result is complete, one file an app.
COMPLETENESS = SCRIPTS.parent / "completeness"
