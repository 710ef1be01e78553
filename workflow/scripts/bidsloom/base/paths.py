"""Where the workflow's own files are: in a repository, or in an installed package."""

from __future__ import annotations

from pathlib import Path

LIBRARY = Path(__file__).parents[1]
# A wheel carries the repository's other files here, in the folders that they have there.
PACKED = LIBRARY / "_repository"
REPOSITORY = PACKED if PACKED.exists() else LIBRARY.parents[2]
SNAKEFILE = REPOSITORY / "Snakefile"
SCRIPTS = REPOSITORY / "workflow" / "scripts"
# What people type to run a command, with its name.
COMMAND = "bidsloom {}" if PACKED.exists() else "python workflow/scripts/{}.py"
# Programs of their own, which import nothing of the library.
STANDALONE = SCRIPTS / "standalone"
SCHEMA_FILE = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"
# Sets of files by which an app's result is complete, one file an app.
COMPLETENESS = REPOSITORY / "workflow" / "completeness"
EXAMPLES = REPOSITORY / "config" / "examples"
PROFILES = REPOSITORY / "profiles"


def is_run_locked(folder: Path) -> bool:
    """Whether Snakemake runs in a folder, or was killed there."""
    return any((folder / ".snakemake" / "locks").glob("*"))
