"""Messages about the end of a run reach real servers; their addresses reach nothing else."""

import email
import http.server
import json
import os
import re
import socket
import sys
import threading

import pytest
from aiosmtpd.controller import Controller
from bidsloom.base.errors import ConfigFailure, WorkflowFailure
from bidsloom.config import read_study
from bidsloom.config.study import Notify
from bidsloom.reporting.notifications import Addresses, send_message, take_addresses
from helpers.studies import git, run

SECRET = "hush4711"


@pytest.fixture
def listener():
    """An HTTP server that keeps what is posted to it."""
    posts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.posts = posts
    server.url = f"json://me:{SECRET}@127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def mail_server():
    """An SMTP server that keeps what it is sent."""

    class Handler:
        def __init__(self):
            self.mails = []

        async def handle_DATA(self, server, session, envelope):
            self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content)))
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    controller.stop()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_each_run_is_told_and_no_secret_is_kept(workspace, listener):
    """One message a run, with numbers and causes; the address is found nowhere, not even by the app."""
    dead = f"json://me:{SECRET}@127.0.0.1:{free_port()}/"
    # The probe app writes down the variable of this name.
    secret = {"PROBE_VARIABLE": f"{listener.url} {dead}"}
    # A bare `on:` of a YAML file.
    workspace.config["notify"] = {True: ["success", "failure"], "urls_variable": "PROBE_VARIABLE"}
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake("-n", env=secret)
    assert listener.posts == []
    done = workspace.snakemake(env=secret)
    assert "the message to address 2 of $PROBE_VARIABLE was not delivered" in done.stderr
    (told,) = listener.posts
    assert told["title"] == "bidsloom: probe is done"
    assert told["message"].startswith("1 merged, 2 excluded\nReport: ")
    assert str(workspace.results / "report.html") in told["message"]
    text = git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=workspace.store)
    assert json.loads(text)["variable"] == ""

    (workspace.switches / "fail-02").write_text("3")
    workspace.config["subjects"] = {"include": ["01", "02"]}
    failed = workspace.snakemake(check=False, env=secret)
    assert failed.returncode == 1
    _, told = listener.posts
    assert told["title"] == "bidsloom: probe ended with failures"
    assert "1 merged, 1 failed, 1 excluded\nFailed: 1 app_error\n" in told["message"]
    assert "sub-" not in told["message"].replace(str(workspace.root), "")

    assert SECRET not in done.stdout + done.stderr + failed.stdout + failed.stderr
    found = run("grep", "-rlaF", SECRET, workspace.root, cwd="/", check=False)
    assert (found.returncode, found.stdout) == (1, "")

    unset = workspace.snakemake("-n", env={"PROBE_VARIABLE": ""})
    assert "$PROBE_VARIABLE is empty: nobody is notified" in unset.stderr


def test_environment_in_a_folder_with_a_space(workspace, listener, tmp_path):
    """Addresses are looked at by a program, whose path Snakemake quotes for shells."""
    environment = tmp_path / "my environment"
    environment.symlink_to(sys.prefix)
    workspace.config["notify"] = {"on": ["failure"], "urls_variable": "PROBE_VARIABLE"}
    command = [environment / "bin" / "python", "-m", *workspace.command("-n", "--cores", "1")]
    done = run(*command, cwd=workspace.root, env={"PROBE_VARIABLE": listener.url})
    assert "3 unit(s) to process" in done.stderr


def test_mail_arrives_beside_a_dead_and_a_silent_server(mail_server):
    """Servers that are away or say nothing keep no message from the others."""
    silent = socket.create_server(("127.0.0.1", 0))
    urls = (
        f"json://{SECRET}@127.0.0.1:{free_port()}/",
        f"mailto://127.0.0.1:{mail_server.port}?from=me@example.org&to=lab@example.org",
        f"json://{SECRET}@127.0.0.1:{silent.getsockname()[1]}/?rto=1",
    )
    with silent:
        lines = send_message(Addresses("a file", urls), title="a title", body="3 merged\nReport: x")
    assert lines == [
        "bidsloom: the message to address 1 of a file was not delivered",
        "bidsloom: the message to address 3 of a file was not delivered",
    ]
    ((recipients, mail),) = mail_server.handler.mails
    assert recipients == ["lab@example.org"]
    assert mail["Subject"] == "a title"
    assert "3 merged" in mail.as_string()


def test_addresses_in_a_file(tmp_path, listener):
    """One a line; comments are none."""
    path = tmp_path / "addresses"
    path.write_text(f"# the lab\n{listener.url}\n\n")
    path.chmod(0o600)
    addresses = take_addresses(Notify((), "", path))
    assert addresses.urls == (listener.url,)
    assert SECRET not in repr(addresses)
    assert send_message(addresses, title="t", body="b") == []
    assert listener.posts[0]["message"] == "b"


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("json://a", 0o640, "has the mode 640; expected: 600.*\nHint: chmod 600 '"),
        ("json://a", 0o604, "has the mode 604"),
        ("json://a", 0o700, "has the mode 700"),
        (f"json://a\nmailtoo://{SECRET}", 0o600, "apprise does not know number 2"),
        (None, None, "cannot be read: No such file"),
    ],
)
def test_file_that_others_can_read_is_refused(tmp_path, content, mode, words):
    path = tmp_path / "addresses"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(WorkflowFailure) as caught:
        take_addresses(Notify((), "", path))
    assert re.search(words, str(caught.value))
    assert SECRET not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file to another user")
def test_file_of_another_user_is_refused(tmp_path):
    path = tmp_path / "addresses"
    path.write_text("json://a")
    path.chmod(0o600)
    os.chown(path, 65534, -1)
    with pytest.raises(WorkflowFailure, match="belongs to another user"):
        take_addresses(Notify((), "", path))


@pytest.mark.parametrize(
    "notify",
    [
        {"urls_variable": f"mailto://me:{SECRET}@example.org"},
        {"urls_file": f"mailto://me:{SECRET}@example.org"},
        {"urls": [f"mailto://me:{SECRET}@example.org"]},
        {"on": [f"mailto://me:{SECRET}@example.org"]},
        f"mailto://me:{SECRET}@example.org",
    ],
)
def test_address_in_the_config_is_refused_unseen(workspace, notify):
    """Who writes an address into the config is told so, without the address."""
    with pytest.raises(ConfigFailure, match="notify") as caught:
        read_study({**workspace.config, "notify": notify})
    assert SECRET not in str(caught.value)
