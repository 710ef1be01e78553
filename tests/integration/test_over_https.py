"""Input behind https with a password, by a real server whose certificate only the tests trust."""

import pytest
from helpers.studies import git
from helpers.web import AUTHORITY, serve


@pytest.fixture(scope="module")
def server(input_dataset):
    git("update-server-info", cwd=input_dataset)
    with serve(input_dataset.parent, credential="jane:open sesame", tls=True) as found:
        yield found


@pytest.fixture
def account(tmp_path):
    """The variables of an account that has a home of its own, with nothing but a git identity."""
    home = tmp_path / "home of jane"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[user]\nname = Jane\nemail = jane@example.org\n"
        '[annex "security"]\nallowed-ip-addresses = 127.0.0.1\n'
    )
    return {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_COUNT": "0",
    }


def test_password_of_netrc_opens_input_and_content(workspace, server, account, tmp_path):
    """Git's setting names the authority, ~/.netrc has the password; the config has neither."""
    workspace.config["datalad"]["input_repo"] = f"{server.url}/bids/.git"
    workspace.config["subjects"] = {"include": ["01"]}
    # What is missing is said at the start, one after the other.
    refused = workspace.snakemake("-n", env=account, check=False)
    assert refused.returncode
    assert "http.sslCAInfo" in refused.stderr
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    settings = account["GIT_CONFIG_GLOBAL"]
    git("config", "--file", settings, "http.sslCAInfo", tmp_path / "authority.pem", cwd="/")
    refused = workspace.snakemake("-n", env=account, check=False)
    assert refused.returncode
    assert ".netrc" in refused.stderr
    secret = tmp_path / "home of jane" / ".netrc"
    secret.write_text('machine 127.0.0.1 login jane password "open sesame"\n')
    secret.chmod(0o600)
    workspace.snakemake(env=account)
    assert ["01"] == workspace.runs()
