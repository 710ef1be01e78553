"""Of the account's settings only who somebody is, and how a place is reached, holds."""

import os
import subprocess
import sys

import pytest
from bidsloom.base.git_settings import (
    OWN_SETTINGS,
    compose_settings,
    foreign_variables,
    isolate,
    parse_settings,
)
from helpers.hostile_settings import HELPFUL, HOSTILE, write_account

SEE = """
import sys
sys.path.insert(0, "workflow/scripts")
from bidsloom.base.runners import call, set_up_environment
from pathlib import Path
set_up_environment()
print(call(["git", "config", "--list", "--null"], cwd=Path("/")).decode(), end="")
"""


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_setting_is_left_behind(name):
    """One by one; where we set it ourselves, our value comes last and holds."""
    composed = compose_settings([(name, "hostile")])
    assert "hostile" not in [value for key, value in composed if key.lower() == name]


@pytest.mark.parametrize("name", HELPFUL)
def test_identity_and_ways_to_reach_places_hold(name):
    """They come before our own settings, in their order."""
    assert (name, "x") == compose_settings([(name, "x")])[0]


def test_programs_see_the_composed_settings_alone(tmp_path, monkeypatch, request):
    """A real git, in an account with everything at once, and variables of an outer git."""
    write_account(tmp_path / "home", {**HOSTILE, **HELPFUL})
    environment = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "GIT_DIR": "/nowhere",
        "GIT_CONFIG": "/nowhere",
        "GIT_TEMPLATE_DIR": "/nowhere",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "DATALAD_SAVE_NO__MESSAGE": "interactive",
    }
    done = subprocess.run(
        [sys.executable, "-c", SEE],
        cwd=request.config.rootpath,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    seen = dict(entry.partition("\n")[::2] for entry in done.stdout.split("\0")[:-1])
    own = {name.lower(): value for name, value in OWN_SETTINGS.items()}
    # The machine may have helpers of its own.
    others = {name for name in seen if name.startswith("credential.")} - set(HELPFUL)
    assert HELPFUL | own == {name: value for name, value in seen.items() if name not in others}


def test_settings_of_the_repository_beside_are_not_read():
    """Only the machine's, the user's and those of the environment count."""
    listed = "global\0user.name\nA\0local\0user.name\nB\0command\0safe.directory\n*\0"
    assert [("user.name", "A"), ("safe.directory", "*")] == list(parse_settings(listed))


def test_variables_of_an_outer_git_or_datalad_are_removed():
    """Identity, ssh and askpass stay; what would redirect our calls goes."""
    environment = {
        "GIT_AUTHOR_NAME": "A",
        "GIT_SSH_COMMAND": "ssh",
        "GIT_DIR": "/x",
        "GIT_INDEX_FILE": "/x",
        "GIT_CONFIG_PARAMETERS": "'a'='b'",
        "DATALAD_LOG_LEVEL": "debug",
        "PATH": "/bin",
    }
    foreign = {"GIT_DIR", "GIT_INDEX_FILE", "GIT_CONFIG_PARAMETERS", "DATALAD_LOG_LEVEL"}
    assert foreign == set(foreign_variables(environment))
    isolate(environment, [("user.name", "A")])
    assert "1" == environment["GIT_CONFIG_COUNT"]
    assert foreign.isdisjoint(environment)


def test_git_annex_connects_as_git_does():
    """The account's command for ssh stands in a variable or in a setting; a variable goes first."""
    environment = {}
    isolate(environment, [("core.sshCommand", "ssh -i key")])
    assert ("ssh -i key", "1") == (
        environment["GIT_SSH_COMMAND"],
        environment["GIT_ANNEX_USE_GIT_SSH"],
    )
    environment = {"GIT_SSH": "/x/ssh"}
    isolate(environment, [("core.sshCommand", "ssh -i key")])
    assert "GIT_SSH_COMMAND" not in environment
    assert "1" == environment["GIT_ANNEX_USE_GIT_SSH"]
    environment = {}
    isolate(environment, [])
    assert "GIT_ANNEX_USE_GIT_SSH" not in environment
