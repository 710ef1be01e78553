"""Scripts that are started with another Python than the environment's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bidsloom.base import own_python

SCRIPTS = Path(own_python.__file__).parents[2]


# One that has no package.
BARE_PYTHON = [sys._base_executable, "-S"]


@pytest.mark.parametrize(("script", "code"), [("status", 3), ("accept", 1), ("process_subject", 1)])
def test_a_python_without_the_packages_is_named(script, code, monkeypatch):
    """No traceback, but what is missing and what to do."""
    monkeypatch.setenv(own_python.STARTED_AGAIN, "yes")
    done = subprocess.run(
        [*BARE_PYTHON, SCRIPTS / f"{script}.py", "--help"], capture_output=True, text=True
    )
    assert code == done.returncode
    assert "lacks yaml, jsonschema, psutil" in done.stderr
    assert "make setup" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_environment_of_the_repository_takes_over(tmp_path):
    """The script goes on in `.venv`, with all that was typed."""
    called = tmp_path / "called"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{called}"\n')
    python.chmod(0o755)
    code = (
        "import sys; from pathlib import Path; from bidsloom.base import own_python; "
        f"own_python.REPOSITORY = Path({str(tmp_path)!r}); own_python.use_own_python()"
    )
    environment = {k: v for k, v in os.environ.items() if k != own_python.STARTED_AGAIN}
    command = [*BARE_PYTHON, "-c", code, "--cancel", "001 002"]
    subprocess.run(command, env=environment | {"PYTHONPATH": str(SCRIPTS)}, check=True)
    assert ["-c", "--cancel", "001 002"] == called.read_text().splitlines()
