"""Subdatasets that an input registers: where each can be cloned from, and how a job installs it.

A dataset registers a subdataset by a commit, and names its URL in
`.gitmodules`.  The URLs that are tried, and their order, are those of DataLad,
so that `datalad rerun` finds what a job found.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..base.credentials import access_hint, credential_of, public_url, use_credentials
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.runners import call, call_git_records
from .stores import RIA, git_address, last_line
from .thin_clones import SETTINGS

# DataLad's setting for further places of subdatasets, with a priority at its end.
CANDIDATE = "datalad.get.subdataset-source-candidate-"
# $1: a folder, $2: a commit, the rest: URLs.  Clones the first repository that
# has the commit into the folder, without a work tree, and prints its URL.
# Objects are copied, since nobody here decides what becomes of the source.
INSTALL = """\
path=$1 commit=$2
shift 2
for url; do
  rm -rf "$path/.git"
  case $url in
  ria+*) GIT_CONFIG_PARAMETERS="'annex.private'='true'" \\
    datalad clone "$url" "$path" --no-checkout >&2 ;;
  *) git clone -q --no-checkout --no-tags SETTINGS -- "$url" "$path" ;;
  esac && {
    git -C "$path" cat-file -e "$commit^{commit}" 2>/dev/null ||
    git -C "$path" fetch -q --no-tags --no-recurse-submodules origin "$commit"
  } && git -C "$path" config annex.private true && echo "$url" && exit
done
exit 1
""".replace("SETTINGS", shlex.join(SETTINGS))
LOST_COMMIT = re.compile(
    r"not our ref|unadvertised object|couldn't find remote ref|not a tree object|not a valid object"
    r"|[Nn]ot a valid object name"
)


@dataclass(frozen=True)
class Subdataset:
    """A registered subdataset; `path` is relative to the input dataset, `urls` are tried in order.

    Without a URL `.gitmodules` does not name it.
    """

    path: str
    commit: str
    urls: tuple[str, ...]


@dataclass(frozen=True)
class Registry:
    """What a dataset at a commit says of the places of its subdatasets.

    `url` is where the dataset itself comes from, `modules` has the settings of
    `.gitmodules` by path, and `templates` are DataLad's further candidates.
    """

    url: str
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    templates: tuple[str, ...] = ()

    def locate(self, path: str, commit: str, *, outer: str = "") -> Subdataset:
        """The subdataset at a path; `outer` is the dataset's own path in the input, if any."""
        module = self.modules.get(path)
        found = candidate_urls(self.url, path, module, self.templates) if module else []
        # Like those of the config, credentials are handed to git by its own mechanism.
        use_credentials(os.environ, [c for url in found if (c := credential_of(url))])
        urls = tuple(dict.fromkeys(map(public_url, found)))
        return Subdataset(f"{outer}/{path}" if outer else path, commit, urls)


def read_registry(repository: Path, commit: str, *, url: str) -> Registry:
    """What a commit says of the places of its subdatasets; `url` is the dataset's own."""
    modules: dict[str, dict[str, str]] = {}
    for name, value in read_settings(repository, commit, ".gitmodules", r"^submodule\."):
        section, _, variable = name.rpartition(".")
        modules.setdefault(section, {})[variable] = value
    by_path = {module["path"]: module for module in modules.values() if "path" in module}
    templates: tuple[str, ...] = ()
    if by_path:
        pattern = f"^{re.escape(CANDIDATE)}"
        found = read_settings(repository, commit, ".datalad/config", pattern)
        templates = tuple(value for _, value in sorted(found))
    return Registry(url, by_path, templates)


def read_settings(repository: Path, commit: str, file: str, pattern: str) -> list[tuple[str, str]]:
    """Name and value of settings in a committed file; none where the file is missing."""
    command = ["config", "--blob", f"{commit}:{file}", "--null", "--get-regexp", pattern]
    try:
        entries = call_git_records(command, cwd=repository)
    except CommandError:
        return []
    pairs = (entry.partition("\n") for entry in entries)
    return [(name, value) for name, _, value in pairs]


def candidate_urls(
    base: str, path: str, module: Mapping[str, str], templates: Iterable[str] = ()
) -> list[str]:
    """The URLs under which a subdataset may be found, in the order in which they are tried.

    `base` is where its superdataset comes from, `module` has its settings in
    `.gitmodules`.
    """
    identifier, found = module.get("datalad-id"), []
    values = {"path": path, "id": identifier or "", **module}
    for template in templates:
        parts = re.split(r"{([^{}]*)}", template)
        # Literal text and names of values take turns.
        parts[1::2] = [values.get(name, "") for name in parts[1::2]]
        if all(parts[1::2]):
            found.append("".join(parts))
    if base.startswith(RIA) and identifier:
        found.append(f"{base.partition('#')[0]}#{identifier}")
    for url in (module.get("datalad-url"), module.get("url")):
        if url:
            relative = url.startswith(("./", "../"))
            found.append(join_url(git_address(base), url) if relative else url)
    found.append(join_url(git_address(base), path))
    both: list[str] = []
    for url in found:
        # A dataset with a work tree, on a web server.
        inside = re.match(r"https?://", url) and not url.endswith((".git", "/"))
        both += [url, f"{url}/.git"] if inside else [url]
    return list(dict.fromkeys(both))


def join_url(base: str, relative: str) -> str:
    """The URL that a relative one means for a dataset that comes from `base`, by git's rules."""
    base = base.removesuffix("/").removesuffix("/.git")
    parts = relative.split("/")
    while parts[0] in (".", "..") and len(parts) > 1:
        if parts.pop(0) == "..":
            head, slash, _ = base.rpartition("/")
            base = head if slash else f"{base.partition(':')[0]}:"
    return f"{base}{'' if base.endswith(':') else '/'}{'/'.join(parts)}"


def install(subdataset: Subdataset, *, cwd: Path, path: str) -> str:
    """Clone a subdataset into a folder, without a work tree; returns the URL that had it.

    `path` is relative to `cwd`.

    Raises `WorkflowFailure` where no URL has the registered commit, and
    `CommandError` where git was ended.
    """
    said: dict[str, str] = {}
    for url in subdataset.urls:
        try:
            call(install_command(path, subdataset.commit, [url]), cwd=cwd)
            return url
        except CommandError as e:
            if e.exit_code != 1:
                raise
            said[url] = e.stderr
    raise unreachable(subdataset, said)


def install_command(path: str, commit: str, urls: Iterable[str]) -> list[str]:
    """The command that clones a subdataset from the first URL that has a commit."""
    return ["sh", "-c", INSTALL, "install", path, commit, *urls]


def unreachable(subdataset: Subdataset, said: Mapping[str, str]) -> WorkflowFailure:
    """A failure for a subdataset that cannot be had; `said` has git's words about each URL."""
    about = f"{subdataset.path} at {subdataset.commit[:10]}"
    if not said:
        return WorkflowFailure(
            f"the dataset {about} is not named in .gitmodules of the dataset that registers it",
            hint=f"register it there: git submodule add <url> {subdataset.path}",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        )
    told = "; ".join(f"{url}: {in_words(subdataset, text)}" for url, text in said.items())
    first = next(iter(said))
    lost = any(LOST_COMMIT.search(text) for text in said.values())
    return WorkflowFailure(
        f"the dataset {about} cannot be cloned from {told}",
        hint=next(filter(None, (access_hint(url, text) for url, text in said.items())), None)
        or (
            f"push that commit to it (in the dataset: git push <its remote> {subdataset.commit}"
            ":refs/heads/<branch>), or register one that it has (datalad save)"
            if lost
            else "correct its URL in .gitmodules, or try it by hand: "
            f"git clone '{git_address(first)}'"
        ),
        failure_class=FailureClass.INPUT_UNAVAILABLE,
    )


def in_words(subdataset: Subdataset, text: str) -> str:
    """Why a URL did not have a subdataset, from what git said of it."""
    if LOST_COMMIT.search(text):
        return "it does not have that commit"
    if "dubious ownership" in text:
        return "it belongs to another user, and git's safe.directory does not name it"
    fatal = re.findall(r"fatal: (.*)", text)
    return (fatal[0] if fatal else last_line(text)).strip("'] ")
