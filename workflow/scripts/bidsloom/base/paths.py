"""Where the workflow's own files lie."""

from __future__ import annotations

from pathlib import Path

SCRIPTS = Path(__file__).parents[2]
# Programs of their own, which import nothing of the library.
STANDALONE = SCRIPTS / "standalone"
REPOSITORY = SCRIPTS.parents[1]
SCHEMA_FILE = SCRIPTS.parent / "schemas" / "config.schema.yaml"
