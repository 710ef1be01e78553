"""The git configuration that our repositories see: composed here, not the account's own.

Of the user's and the machine's settings only those hold that say who they are
and how a place is reached.  Everything else (ignore files, hooks, templates,
signing, filters, `annex.*`, `datalad.*`) is left behind, because results must
not depend on whose account computed them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

# Settings of the user that hold, by git's full names, in lower case.
ALLOWED = re.compile(
    r"""
      user\.(name|email) | author\.(name|email) | committer\.(name|email)
    | credential\..* | datalad\.credential\..*
    | url\..*\.(insteadof|pushinsteadof)
    | safe\.directory
    | http\..* | https\..* | core\.(gitproxy|sshcommand|askpass)
    | ssh\..* | remote\..*\.proxy(authmethod)?
    | annex\.(web-options|http-headers|http-headers-command|security\.allowed-ip-addresses)
    | annex\.security\.allowed-url-schemes
    """,
    re.VERBOSE,
)

# Variables of git and DataLad that hold: who the user is, and how a place is reached.
ALLOWED_VARIABLES = re.compile(
    r"GIT_(AUTHOR|COMMITTER)_(NAME|EMAIL)"
    r"|GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|PROXY_SSL_\w+|SSL_\w+|HTTP_\w+)"
    r"|DATALAD_CREDENTIAL\w*|DATALAD_\w+_(TOKEN|USER|PASSWORD|KEY_ID|SECRET_ID)"
)
OWN_SETTINGS = {
    # No prompt may hang a job; background `git gc` would race with the clean-up
    # of a clone, and pruning during pushes corrupts a store.
    "gc.auto": "0",
    "maintenance.auto": "false",
    "init.defaultBranch": "main",
    "init.templateDir": "",
    "advice.detachedHead": "false",
    # git looks for these files even where no setting names them.
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
}


def compose_settings(found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The settings that hold, in order: those of the user that are allowed, then our own.

    `found` are the account's, as git lists them (system, user, environment).
    """
    allowed = [(name, value) for name, value in found if ALLOWED.fullmatch(name.lower())]
    return [*allowed, *OWN_SETTINGS.items()]


def parse_settings(listed: str) -> Iterator[tuple[str, str]]:
    """Name and value of what `git config --list --show-scope --null` prints.

    Settings of a repository that the working directory lies in are left out.
    """
    fields = iter(listed.split("\0")[:-1])
    for scope, entry in zip(fields, fields, strict=True):
        name, _, value = entry.partition("\n")
        if scope not in ("local", "worktree"):
            yield name, value


def isolate(environment: MutableMapping[str, str], settings: list[tuple[str, str]]) -> None:
    """Let programs started in an environment see these settings and none of the account's.

    The values are handed over in variables, which no other user can read,
    rather than in a file that somebody would have to remove.
    """
    for name in foreign_variables(environment):
        del environment[name]
    environment["GIT_CONFIG_GLOBAL"] = os.devnull
    environment["GIT_CONFIG_NOSYSTEM"] = "1"
    environment["GIT_ATTR_NOSYSTEM"] = "1"
    environment["GIT_TERMINAL_PROMPT"] = "0"
    environment["GIT_CONFIG_COUNT"] = str(len(settings))
    for number, (name, value) in enumerate(settings):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value


def foreign_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables of an outer git, git-annex or DataLad that must not reach our repositories."""
    return [
        name
        for name in environment
        if re.match(r"GIT_|DATALAD_|ANNEX_", name) and not ALLOWED_VARIABLES.fullmatch(name)
    ]
