"""Add the workflow's files to a wheel, beside the library (a hook of the build)."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# `bidsloom/base/paths.py` finds them there.
FOLDER = "bidsloom/_repository"
FILES = (
    "Snakefile",
    "config/*.*",
    "config/examples/*.yaml",
    "profiles/*/config.yaml",
    "workflow/Snakefile",
    "workflow/completeness/*",
    "workflow/rules/*.smk",
    "workflow/schemas/*.yaml",
    "workflow/scripts/*.py",
    "workflow/scripts/standalone/*.py",
)


class PackRepository(BuildHookInterface):
    """The hook that hatchling calls."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files; an editable installation finds them in the repository itself."""
        if version == "editable":
            return
        root = Path(self.root)
        for pattern in FILES:
            found = sorted(root.glob(pattern))
            assert found, f"no file is named {pattern}"
            for path in found:
                name = path.relative_to(root).as_posix()
                build_data["force_include"][str(path)] = f"{FOLDER}/{name}"
