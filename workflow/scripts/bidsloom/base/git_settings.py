"""The git configuration that our repositories see: composed here, not the account's own.

Of the user's and the machine's settings only those hold that say who they are
and how a place is reached.  Everything else (ignore files, hooks, templates,
signing, filters, `annex.*`, `datalad.*`) is left behind, because results must
not depend on whose account computed them.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path

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

# Where DataLad's shared ssh connections are.
SOCKETS = "BIDSLOOM_SSH_SOCKETS"
# A repository of another user that git may work in.
TRUST = "safe.directory"
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
    rather than in a file that somebody would have to remove.  Only trusted
    folders are in a file: git clears such variables for the git that it starts
    in another repository, which has to trust it too.
    """
    trusted = [value for name, value in settings if name.lower() == TRUST]
    settings = [(name, value) for name, value in settings if name.lower() != TRUST]
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
    use_own_ssh(environment, settings)
    trust(environment, trusted)


def use_own_ssh(environment: MutableMapping[str, str], settings: list[tuple[str, str]]) -> None:
    """Let git-annex connect as git does; by itself it calls plain `ssh`."""
    given = [value for name, value in settings if name.lower() == "core.sshcommand"]
    if given and not {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
        environment["GIT_SSH_COMMAND"] = given[-1]
    if {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys():
        environment["GIT_ANNEX_USE_GIT_SSH"] = "1"


def connect_for_ria(environment: MutableMapping[str, str]) -> None:
    """Let DataLad reach RIA stores behind ssh, by connections of this process' own.

    Without a shared connection, DataLad forgets the port of a store, and then
    waits for ever.  Shared with other jobs, the first job to end would close it.
    """
    own = f"/tmp/bidsloom-ssh-{os.getpid()}-"
    if not environment.get(SOCKETS, "").startswith(own):
        # A socket's path has at most 107 bytes; some scratch folders are longer.
        environment[SOCKETS] = tempfile.mkdtemp(prefix=own.removeprefix("/tmp/"), dir="/tmp")
        atexit.register(shutil.rmtree, environment[SOCKETS], ignore_errors=True)
    set_up_connections(environment)


def set_up_connections(environment: MutableMapping[str, str]) -> None:
    """Share DataLad's ssh connections in an environment where `connect_for_ria` asked for it.

    Elsewhere DataLad would connect before git does, without the account's
    GIT_SSH_COMMAND.
    """
    sockets = environment.get(SOCKETS)
    environment["DATALAD_SSH_MULTIPLEX__CONNECTIONS"] = "1" if sockets else "0"
    if sockets:
        environment["DATALAD_LOCATIONS_SOCKETS"] = sockets


def trust(environment: MutableMapping[str, str], folders: Iterable[str]) -> None:
    """Let git work in some repositories of other users, besides those it trusts already."""
    known = trusted_folders(environment)
    every = list(dict.fromkeys([*known, *folders]))
    if every != known:
        environment["GIT_CONFIG_GLOBAL"] = write_trusted(every)


def trusted_folders(environment: Mapping[str, str]) -> list[str]:
    """The folders of the file that `write_trusted` made."""
    try:
        text = Path(environment["GIT_CONFIG_GLOBAL"]).read_text(errors="surrogateescape")
    except (KeyError, OSError):
        return []
    found = re.findall(r'^\tdirectory = "(.*)"$', text, re.MULTILINE)
    return [re.sub(r"\\(.)", r"\1", folder) for folder in found]


def write_trusted(folders: list[str]) -> str:
    """Write a git configuration that trusts some folders; return its path.

    The file is named by what it holds, so that a later process finds it again;
    without a home it is removed when this process ends.
    """
    # A line break cannot be in a folder that somebody names in a configuration of git.
    lines = [re.sub(r'(["\\])', r"\\\1", folder) for folder in folders if "\n" not in folder]
    text = "[safe]\n" + "".join(f'\tdirectory = "{line}"\n' for line in lines)
    content = text.encode(errors="surrogateescape")
    name = f"trusted-{hashlib.sha256(content).hexdigest()[:16]}"
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        place = Path(cache) / "bidsloom"
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=place)
    except (OSError, RuntimeError):
        place = Path(tempfile.mkdtemp(prefix="bidsloom-git-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        handle, temporary = tempfile.mkstemp(dir=place)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(temporary).replace(place / name)
    return str(place / name)


def foreign_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables of an outer git, git-annex or DataLad that must not reach our repositories."""
    return [
        name
        for name in environment
        if re.match(r"GIT_|DATALAD_|ANNEX_", name) and not ALLOWED_VARIABLES.fullmatch(name)
    ]
