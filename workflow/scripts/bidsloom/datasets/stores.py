"""The output store, which results are pushed to: its kinds, and what it holds.

There are three kinds.  The default is a bare git-annex repository on a mounted
file system; jobs write content directly into its `annex/objects`.  A RIA store,
on a mounted file system or behind ssh, is used through DataLad's ORA special
remote.  Any other URL of an existing repository is used as git-annex uses that
remote.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..base.credentials import access_hint
from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import remove_tree
from ..base.patience import outlast
from ..base.runners import call_annex, call_git, call_git_lines, call_git_success
from ..config.values import local_path
from .annex import holds_object

log = logging.getLogger(__name__)

MAIN = "main"
# The branch that job branches start from: the dataset without results.  So a
# job's clone stays small, however many units are merged already.
BASE = "base"
# Name of a store's git remote in the study's own clones.
REMOTE = "output"
REMOTE_MAIN = f"refs/remotes/{REMOTE}/{MAIN}"
REMOTE_BASE = f"refs/remotes/{REMOTE}/{BASE}"
# git cleans up a repository with more packs, unless it is told not to.
MANY_PACKS = 50
RIA = "ria+"
# Branches as `git ls-remote` lists them.
REF_LINE = "--format=%(objectname)%09%(refname)"
# What git says of a server that answers, and has no such repository.
NO_REPOSITORY = "does not appear to be a git repository"
# Where a bare store is made, inside of its folder, and its name there once it is complete.
MAKING = ".bidsloom-making"
MADE = ".bidsloom-made"


class StoreKind(Enum):
    """How content reaches a store."""

    BARE = "bare"
    RIA = "ria"
    OTHER = "other"


@dataclass(frozen=True)
class Store:
    """The output store; `repository` is its git directory if it is mounted, else None.

    `content` has the parameters of the special remote that holds content
    instead of the store itself.
    """

    url: str
    kind: StoreKind
    repository: Path | None
    alias: str = ""
    content: tuple[tuple[str, str], ...] = ()

    @property
    def mounted(self) -> Path:
        """The git directory of a mounted store.  Raises `ValueError` for any other store."""
        if self.repository is None:
            raise ValueError(f"{self.url} is not on a mounted file system")
        return self.repository

    @property
    def git_url(self) -> str:
        """The address that git fetches from and pushes to."""
        return str(self.repository) if self.repository else git_address(self.clone_url)

    @property
    def clone_url(self) -> str:
        """The address that DataLad clones; of a RIA store, it names the dataset."""
        if self.kind is not StoreKind.RIA:
            return str(self.repository or self.url)
        return f"{self.url.partition('#')[0]}#~{self.alias}" if self.alias else self.url

    @property
    def content_remote(self) -> str:
        """The git-annex remote of the study dataset that holds content."""
        return f"{REMOTE}-storage" if self.kind is StoreKind.RIA or self.content else REMOTE

    @property
    def holds_objects(self) -> bool:
        """True where content is in files of a mounted store, written there directly."""
        return self.kind is StoreKind.BARE and not self.content


def store_at(url: str, *, name: str) -> Store:
    """The store at a URL; nothing is read there.  `name` is its default alias in a RIA store."""
    if url.startswith(("ria+file://", "ria+ssh://")):
        label = unquote(urlsplit(url).fragment)
        alias = "" if label and not label.startswith("~") else label.removeprefix("~") or name
        store = Store(url, StoreKind.RIA, None, alias)
        mounted = url.startswith("ria+file://")
        return replace(store, repository=Path(store.git_url)) if mounted else store
    if path := local_path(url):
        return Store(url, StoreKind.BARE, path)
    return Store(url, StoreKind.OTHER, None)


def git_address(url: str) -> str:
    """The URL by which git itself reaches a dataset: that of a RIA URL names a folder."""
    if not url.startswith(RIA):
        return url
    parts = urlsplit(url.removeprefix(RIA))
    label = unquote(parts.fragment).partition("@")[0]
    inside = f"alias/{label[1:]}" if label.startswith("~") else f"{label[:3]}/{label[3:]}"
    store = f"{parts.path.rstrip('/')}/{inside}"
    return unquote(store) if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}{store}"


def store_exists(store: Store) -> bool:
    """True where a store is there, whatever it holds.

    Raises `WorkflowFailure` where a server does not answer.
    """
    if store.repository:
        return is_git_directory(store.repository)
    try:
        list_remote_heads(store, f"refs/heads/{BASE}")
    except WorkflowFailure as e:
        if store.kind is StoreKind.RIA and NO_REPOSITORY in str(e.__cause__):
            return False
        raise
    return True


def is_git_directory(path: Path) -> bool:
    """True where a folder is itself a bare repository, not a folder inside of one.

    Raises `WorkflowFailure` where it belongs to another user.
    """
    if not path.is_dir():
        return False
    try:
        found = call_git(["rev-parse", "--is-bare-repository", "--absolute-git-dir"], cwd=path)
    except CommandError as e:
        refuse_strangers(path, e.stderr)
        return False
    bare, git_dir = found.splitlines()
    return bare == "true" and Path(git_dir).resolve() == path.resolve()


def refuse_strangers(path: Path | str, stderr: str) -> None:
    """Refuse a repository of another user, if git's message says "dubious ownership"."""
    if "dubious ownership" in stderr:
        raise WorkflowFailure(
            f"git does not touch {path}: the folder belongs to another user.",
            hint=f"if you trust it: git config --global --add safe.directory '{path}' "
            f"(for a work tree also '{path}/.git')",
        )


def read_setting(repository: Path, revision: str, key: str) -> str | None:
    """A setting committed in the dataset's `.datalad/config`, or None."""
    try:
        return call_git(
            ["config", "--blob", f"{revision}:.datalad/config", "--get", key], cwd=repository
        )
    except CommandError:
        return None


def list_remote_heads(store: Store, pattern: str = "refs/heads/*") -> dict[str, str]:
    """Branch -> commit in the store.  Raises `WorkflowFailure` where it cannot be read."""
    try:
        if store.repository and "*" not in pattern:
            return read_head(store.repository, pattern)
        if store.repository:
            # `git ls-remote` would read the commit of each.
            ask = [f"--git-dir={store.repository}", "for-each-ref", REF_LINE, pattern.rstrip("*")]
        else:
            ask = ["ls-remote", store.git_url, pattern]
        lines = outlast(lambda: call_git_lines(ask, cwd=Path("/")))
    except CommandError as e:
        raise WorkflowFailure(
            f"The output store {store.url} cannot be read: {last_line(e.stderr)}",
            hint=access_hint(store.git_url, e.stderr)
            or "check datalad.output_repos and that you can reach it: "
            f"git ls-remote '{store.git_url}'",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
    found = (line.split("\t") for line in lines)
    return {ref.removeprefix("refs/heads/"): commit for commit, ref in found}


def read_head(repository: Path, ref: str) -> dict[str, str]:
    """Branch -> commit for one ref; the cost does not grow with the number of refs."""
    command = [f"--git-dir={repository}", "rev-parse", "--verify", "-q", ref]
    try:
        return {ref.removeprefix("refs/heads/"): call_git(command, cwd=Path("/"))}
    except CommandError as e:
        if e.exit_code == 1:  # no such ref; other errors have other codes
            return {}
        raise


def index_packs(repository: Path) -> None:
    """Write one index of all packs of a store, if jobs pushed many since git cleaned up last.

    Without it, git looks for each object that is new in every pack.
    """
    packs = sum(1 for _ in (repository / "objects" / "pack").glob("*.pack"))
    if packs > MANY_PACKS:
        try:
            call_git(["multi-pack-index", "write"], cwd=repository)
        except CommandError as e:
            log.info("the packs of %s are not indexed: %s", repository, last_line(e.stderr))


def write_server_info(repository: Path) -> None:
    """Renew what people who fetch a store over plain HTTP read, if it is there.

    At a push a hook would.
    """
    if (repository / "info" / "refs").exists():
        call_git(["update-server-info"], cwd=repository)


def last_line(text: str) -> str:
    """The last line of an error message, without git-annex' count of failures."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not re.fullmatch(r"\w+: \d+ failed", line)] or lines
    return lines[-1] if lines else "(no message)"


def make_bare_store(repository: Path, description: str) -> None:
    """Make a bare git-annex repository, the output store of a study, as far as it is missing.

    It is made under another name and moved to its path when it is complete, so
    that a killed run leaves no repository that git does not know as one.
    """
    if not (is_git_directory(repository) or (repository / MADE).exists()):
        init_aside(repository, description)
    if (repository / MADE).exists():
        move_up(repository)
    for setting in ("annex.uuid", "annex.version"):
        if not call_git_success(["config", setting], cwd=repository):
            call_annex(["init", "-q", description], cwd=repository)
    # git-annex makes this folder with the first content; jobs write there themselves.
    (repository / "annex" / "objects").mkdir(parents=True, exist_ok=True)


def forbid_cleaning(repository: Path) -> None:
    """Let no push into a store start `git gc` there.

    It would read the whole store on the machine that pushes, and remove
    objects that another job is about to use.
    """
    setting = "receive.autogc"
    if call_git(["config", "--default", "", "--get", setting], cwd=repository) != "false":
        call_git(["config", setting, "false"], cwd=repository)


def init_aside(repository: Path, description: str) -> None:
    """Make a bare git-annex repository in a folder inside of `repository`."""
    # Not beside it: the folder may be a mount point, in one that nobody can write to.
    new = repository / MAKING
    if new.exists():
        remove_tree(new)
    new.mkdir(parents=True)
    call_git(["init", "-q", "--bare", "--initial-branch", MAIN], cwd=new)
    call_annex(["init", "-q", description], cwd=new)
    new.rename(repository / MADE)


def move_up(repository: Path) -> None:
    """Move a repository that was made inside of a folder to the folder itself.

    `HEAD` goes last: without it, git knows no repository there.
    """
    made = repository / MADE
    for entry in sorted(made.iterdir(), key=lambda path: path.name == "HEAD"):
        entry.rename(repository / entry.name)
    made.rmdir()


def is_half_made_store(repository: Path) -> bool:
    """True where a killed run has started to make a bare store."""
    return any((repository / name).exists() for name in (MAKING, MADE))


def store_uuid(store: Store, dataset: Path) -> str:
    """The annex UUID of the store."""
    if store.holds_objects:
        return call_git(["config", "annex.uuid"], cwd=store.mounted)
    return call_git(["config", f"remote.{store.content_remote}.annex-uuid"], cwd=dataset)


def missing_keys(store: Store, keys: Iterable[str], *, dataset: Path) -> set[str]:
    """Those annex keys whose content is missing in the store, or incomplete.

    The store itself is asked, not a location log.  In a bare store each object
    file and its size is checked; in others git-annex checks.
    """
    keys = sorted(set(keys))
    if store.holds_objects:
        return {key for key in keys if not holds_object(store.mounted, key)}
    if not keys:
        return set()
    ask = ["checkpresentkey", "--batch", store.content_remote]
    names = "".join(f"{key}\n" for key in keys)
    found = outlast(lambda: call_annex(ask, cwd=dataset, stdin=names)).splitlines()
    return {key for key, answer in zip(keys, found, strict=True) if answer != "1"}
