"""Files with secrets."""

import os

import pytest
from bidsloom.base.credentials import use_variables, without_credentials
from bidsloom.base.errors import WorkflowFailure
from bidsloom.base.private_files import read_variables

KEY = "datalad.credentials_file"


def test_variables_of_a_file_are_those_of_git_alone(tmp_path):
    """The app has none of them; after it they are there again."""
    path = tmp_path / "secrets"
    path.write_text(
        "# of the lab\nexport WEBDAV_USERNAME=jane\n\nWEBDAV_PASSWORD='open = sesame'\n"
    )
    path.chmod(0o600)
    found = read_variables(path, key=KEY)
    assert {"WEBDAV_USERNAME": "jane", "WEBDAV_PASSWORD": "open = sesame"} == found
    environment = {"PATH": "/bin"}
    use_variables(environment, found)
    with without_credentials(environment):
        assert not set(found) & environment.keys()
    assert found.items() <= environment.items()


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [
        (0o640, "A=b\n", "has the mode 640"),
        (0o600, "A=b\nsecret sesame\n", "Line 2 of datalad.credentials_file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(tmp_path, mode, text, words):
    path = tmp_path / "secrets"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(WorkflowFailure, match=words) as failed:
        read_variables(path, key=KEY)
    assert "sesame" not in str(failed.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WorkflowFailure, match="cannot be read: No such file"):
        read_variables(tmp_path / "none", key=KEY)


def test_names_survive_into_other_processes():
    """A job starts in a process of its own, which inherits the variables with their names."""
    environment = dict(os.environ)
    use_variables(environment, {"A_SECRET": "1"})
    use_variables(environment, {"B_SECRET": "2"})
    with without_credentials(environment):
        assert not {"A_SECRET", "B_SECRET"} & environment.keys()
