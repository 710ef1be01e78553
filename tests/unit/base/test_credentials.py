"""Credentials in URLs, and how git gets them."""

import subprocess

import pytest
from bidsloom.base.credentials import (
    Credential,
    access_hint,
    credential_of,
    hide_credentials,
    public_url,
    use_credentials,
    without_credentials,
)
from bidsloom.base.errors import CommandError, WorkflowFailure


@pytest.mark.parametrize(
    ("url", "public", "credential"),
    [
        ("https://host/x.git", "https://host/x.git", None),
        ("https://u:p@host/x.git", "https://host/x.git", ("https://host/x.git", "u", "p")),
        ("HTTPS://tok@host/x", "HTTPS://host/x", ("HTTPS://host/x", "tok", "")),
        ("http://u:a%40b@h:8/x", "http://h:8/x", ("http://h:8/x", "u", "a@b")),
        ("http://u:a@b#c 'd@h/x", "http://h/x", ("http://h/x", "u", "a@b#c 'd")),
        ("ria+https://u:p@h/s#~raw", "ria+https://h/s#~raw", ("https://h/s", "u", "p")),
        ("ssh://me@host/x", "ssh://me@host/x", None),
        ("ssh://me:pw@host/x", "ssh://me@host/x", None),
        ("me@host:x.git", "me@host:x.git", None),
        ("file:///data/a@b", "file:///data/a@b", None),
        ("/data/http://u:p@h", "/data/http://u:p@h", None),
    ],
)
def test_public_url_and_its_credential(url, public, credential):
    assert public == public_url(url)
    assert (credential and Credential(*credential)) == credential_of(url)


def test_failures_show_public_urls_only():
    said = "fatal: https://u:p@h/x and ssh://me:pw@h/y not found"
    public = "fatal: https://h/x and ssh://me@h/y not found"
    assert public == hide_credentials(said)
    assert public == WorkflowFailure(said).message == WorkflowFailure("", hint=said).hint
    error = CommandError(["git", "clone", "https://u:p@h/x"], "/", 1, said)
    assert ["git", "clone", "https://h/x"] == error.cmd
    assert public == error.stderr
    assert "u:p" not in repr(error)


def fill(url, environment):
    """What git finds for a URL."""
    done = subprocess.run(
        ["git", "credential", "fill"],
        input=f"url={url}\n\n",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_git_gets_a_credential_for_its_url_alone(tmp_path):
    """Before what the account has for that host; another repository there gets the account's."""
    (tmp_path / ".gitconfig").write_text(
        '[credential]\n helper = "!f() { echo username=other; echo password=theirs; }; f"\n'
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "GIT_TERMINAL_PROMPT": "0"}
    given = [Credential("http://h/x.git", "jane", 'it\'s "%s" $HOME\\n')]
    use_credentials(environment, given)
    once = dict(environment)
    use_credentials(environment, given)
    assert once == environment
    found = fill("http://h/x.git/info/refs", environment)
    assert ("jane", 'it\'s "%s" $HOME\\n') == (found["username"], found["password"])
    assert "theirs" == fill("http://h/y.git", environment)["password"]
    with without_credentials(environment):
        assert not any("it's" in value for value in environment.values())
    assert once == environment


def test_a_user_name_alone_is_told_to_git(tmp_path):
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "GIT_ASKPASS": "echo"}
    use_credentials(environment, [Credential("http://h/x.git", "jane", "")])
    assert "jane" == fill("http://h/x.git", environment)["username"]


def test_only_a_refused_access_gets_a_hint():
    asked = "fatal: could not read Username for 'http://h': terminal prompts disabled"
    assert "credential.helper" in access_hint("http://h/x", asked)
    assert "ssh-add" in access_hint("ssh://h/x", "git@h: Permission denied (publickey).")
    assert access_hint("http://h/x", "Could not resolve host: h") is None
