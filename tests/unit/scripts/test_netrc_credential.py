"""The credential helper that lets git-annex use ~/.netrc."""

import sys

import pytest
from bidsloom.base.paths import STANDALONE
from bidsloom.base.runners import call


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("host=data.example.org", True),
        ("host=data.example.org:8443", True),
        ("host=data.example.org\nusername=jane", True),
        ("host=data.example.org\nusername=john", False),
        ("host=other.example.org", False),
    ],
)
def test_netrc_answers_what_git_asks(tmp_path, asked, answered):
    """By the host without its port, and for no other user."""
    (tmp_path / ".netrc").write_text('machine data.example.org login jane password "open sesame"\n')
    helper = [sys.executable, "-I", str(STANDALONE / "netrc_credential.py"), "get"]
    said = call(
        helper, cwd=tmp_path, stdin=f"protocol=https\n{asked}\n", env={"HOME": str(tmp_path)}
    )
    expected = b"username=jane\npassword=open sesame\n" if answered else b""
    assert expected == said


def test_account_without_netrc_has_no_answer(tmp_path):
    """Git goes on with its other helpers."""
    helper = [sys.executable, "-I", str(STANDALONE / "netrc_credential.py"), "get"]
    assert b"" == call(helper, cwd=tmp_path, stdin="host=a\n", env={"HOME": str(tmp_path)})
