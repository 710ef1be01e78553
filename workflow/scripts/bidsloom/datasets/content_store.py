"""The content of results in a special remote (WebDAV, S3, rclone) instead of the output store.

git-annex keeps the parameters of the special remote in the dataset, so that a
clone of it enables the remote by itself.  Credentials are never among them:
each process has them in its environment, and the copy that git-annex makes is
removed.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.patience import outlast
from ..base.runners import call_annex, call_git, node_name
from .stores import Store, last_line

# The variables by which git-annex gets the credentials of a kind of special remote.
CREDENTIALS = {
    "S3": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    "webdav": ("WEBDAV_USERNAME", "WEBDAV_PASSWORD"),
}
# What must hold, whatever the study says.
FIXED = {"autoenable": "true", "embedcreds": "no"}
KEY = "datalad.output_content"

# What git-annex says -> what to do about it.
HINTS = {
    r"statusCode = 40[13]\b|Unauthorized|Forbidden|AccessDenied|InvalidAccessKeyId|Signature": (
        "the server refuses the credentials: correct {variables} in datalad.credentials_file, or "
        "in your environment."
    ),
    r"NoSuchBucket|bucket does not exist|LocationConstraint": (
        f"make the bucket on the server, or correct {KEY}.bucket and datacenter."
    ),
    r"different special remote": (
        f"it holds another dataset: name another folder in {KEY} (for S3: fileprefix)."
    ),
    r"remote does not exist|didn't find section": (
        "name a remote that `rclone listremotes` shows, or name rclone's file in RCLONE_CONFIG."
    ),
    r"Cannot change type": (
        "the study's content is in a store of another type: name that one, or start a new study."
    ),
    r"statusCode = 40[49]\b|[Dd]irectory does not exist": (
        "make the folder on the server, or correct its path."
    ),
    r"Connection ?(refused|Failure|Timeout)": (
        "check its address, and that it can be reached from here."
    ),
}


def connect_content(store: Store, dataset: Path) -> None:
    """Make the special remote that holds a dataset's content, or enable the one that it has.

    Its UUID depends on the store and the parameters alone: where a run died
    after it made the remote, the next one makes the same again.

    Raises `WorkflowFailure` where the server does not accept it.
    """
    name, parameters = store.content_remote, {"encryption": "none", **dict(store.content), **FIXED}
    given = [f"{key}={value}" for key, value in parameters.items()]
    if name in known_remotes(dataset):
        command = ["enableremote", name, *given]
    else:
        identifier = uuid5(NAMESPACE_URL, repr((store.git_url, sorted(store.content))))
        command = ["initremote", name, f"uuid={identifier}", *given]
    try:
        outlast(lambda: call_annex(command, cwd=dataset))
    except CommandError as e:
        raise content_failure(store, e.stderr) from e
    finally:
        shutil.rmtree(dataset / ".git" / "annex" / "creds", ignore_errors=True)


def known_remotes(dataset: Path) -> set[str]:
    """The names of a dataset's special remotes, as its git-annex branch has them."""
    try:
        text = call_git(["cat-file", "blob", "git-annex:remote.log"], cwd=dataset)
    except CommandError:
        return set()
    return set(re.findall(r"\bname=(\S+)", text))


def check_credentials(store: Store) -> None:
    """Refuse a machine without the program or the credentials that a store's content needs."""
    kind = dict(store.content)["type"]
    if kind == "rclone" and shutil.which("rclone") is None:
        raise WorkflowFailure(
            f"{KEY} is of the type rclone, but the program rclone was not found on {node_name()}.",
            hint="load its module (module load rclone), or install it: version 1.67 or newer.",
        )
    for variable in CREDENTIALS.get(kind, ()):
        if not os.environ.get(variable):
            raise WorkflowFailure(
                f"{KEY} is of the type {kind}, but {variable} is not set on {node_name()}.",
                hint=f"write {variable}=... into the file that datalad.credentials_file names, or "
                "export it before you start snakemake.",
            )


def content_failure(store: Store, said: str) -> WorkflowFailure:
    """The failure for a content store that refuses; `said` is git-annex' message."""
    kind = dict(store.content)["type"]
    variables = " and ".join(CREDENTIALS.get(kind, ())) or "its credentials"
    fitting = (hint for pattern, hint in HINTS.items() if re.search(pattern, said))
    hint = next(fitting, f"check {KEY}; git-annex' page about this type has all parameters.")
    return WorkflowFailure(
        f"The content store of {store.url} ({KEY}, type {kind}) cannot be used: {shortly(said)}",
        hint=hint.format(variables=variables),
        failure_class=FailureClass.STORE_UNAVAILABLE,
    )


def shortly(said: str) -> str:
    """The server's own answer in git-annex' message, which may be a dump of the whole request."""
    for pattern in (r's3ErrorMessage = "([^"]+)"', r'statusCode = (\d+, statusMessage = "[^"]*)"'):
        if found := re.search(pattern, said):
            return found[1].replace(', statusMessage = "', " ")
    return last_line(said)
