"""`datalad.output_content`: parameters that the workflow sets itself, or that cannot work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..base.credentials import credential_of
from ..base.errors import WorkflowFailure
from .plain_values import shown
from .values import as_list, value_at

KEY = "datalad.output_content"
# Parameter -> why it is refused.
REFUSED = {
    "name": "the workflow gives the remote its name",
    "uuid": "the workflow gives the remote its UUID",
    "sameas": "the remote is made for this study alone",
    "autoenable": "it is always true, so that clones find the content",
    "embedcreds": "it is always no: credentials are never kept in the dataset",
    "exporttree": "jobs store each file under its key",
    "importtree": "jobs store each file under its key",
    "chunk": "jobs cannot record of which chunks a file consists",
    "chunksize": "jobs cannot record of which chunks a file consists",
}


def find_content_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """What is wrong with the special remote that a study names for its content."""
    content = value_at(config, "datalad", "output_content")
    if not isinstance(content, Mapping) or not content:
        return
    for name, value in content.items():
        if name in REFUSED:
            yield WorkflowFailure(
                f"{KEY}.{name} cannot be set: {REFUSED[name]}.", hint="delete this key."
            )
        elif isinstance(name, str) and ("=" in name or name.split() != [name]):
            yield WorkflowFailure(
                f"{KEY} has the key {shown('', name)}, which is no parameter of git-annex.",
                hint="write each parameter as a key with its value, for example bucket: results.",
            )
        elif credential_of(str(value)):
            yield WorkflowFailure(
                f"{KEY}.{name} contains a user name or a password, which would be published with "
                "the dataset.",
                hint="write them into the file that datalad.credentials_file names.",
            )
    store = as_list(value_at(config, "datalad", "output_repos") or [""])[0]
    if isinstance(store, str) and store.startswith("ria+"):
        yield WorkflowFailure(
            f"{KEY} is set, but the output store {shown('', store)} is a RIA store, which keeps "
            "the content itself.",
            hint=f"name another kind of repository in datalad.output_repos, or delete {KEY}.",
        )
