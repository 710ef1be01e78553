"""Commands for clones that hold one unit's part of a dataset.

The cost does not grow with the number of subjects or finished units.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

from ..base.runners import Step, call_git, call_git_success
from .annex import annex_branch, content_path, log_folder

# `git clone` of one branch, without a work tree, sharing the source's objects.
# annex.private is set before git-annex starts, so that no location log mentions
# the clone.  Hooks of git-annex and commits of its journal are not needed.
CLONE = ["git", "clone", "-q", "--shared", "--no-checkout", "--no-tags", "--single-branch"]
# Content from and to a mounted file system is copied by `cp`, and verified then:
# git-annex' own copying writes its progress to a file for every few kilobytes.
SETTINGS = ["-c", "annex.private=true", "-c", "gc.auto=0", "-c", "core.hooksPath=/dev/null"]
SETTINGS += ["-c", "annex.alwayscommit=false", "-c", "annex.fastcopy=true"]
CLONE += SETTINGS
# $1: a commit, the rest: paths.  Makes an index of these paths only, and checks
# them out before git-annex is initialised: its filter would start for every
# file, and its initialisation would read all files of HEAD.  By `-u` the index
# knows these files when more are added; it would take them for changed.
LAY_OUT_MORE = """\
commit=$1
shift
git --literal-pathspecs ls-tree -r -z "$commit" -- "$@" |
git update-index -z --index-info && git checkout-index -q -a -u
"""
# The first ones; those of LAY_OUT_MORE are added to what is checked out.
LAY_OUT = "git symbolic-ref HEAD refs/heads/none || exit\n" + LAY_OUT_MORE
# $1: a git-annex branch, the rest: folders of location logs.  Makes a branch with
# these logs, and with the files at the root, which describe the repositories.
# Of an imported folder, one of them names the tree that the folder holds; git-annex
# reads all of it at its first `get`.  Here it names a tree of this clone's files.
# This branch is never pushed, so it needs no real author; a node may have no git
# identity.
SHORTEN = """\
set -e
source=$1 log=
shift
if git config remote.bidsloom-folder.annex-directory > /dev/null; then
tree=$(git write-tree)
log=$(git cat-file blob "$source:export.log" | sed "s/ [0-9a-f]*$/ $tree/" |
git hash-object -w --stdin)
fi
export GIT_INDEX_FILE=.git/annex-index
{ git ls-tree "$source"; [ $# = 0 ] || git ls-tree -r "$source" -- "$@"; } |
sed -n '/^[0-9]* blob /p' | git update-index --index-info
[ -z "$log" ] || git update-index --add --cacheinfo "100644,$log,export.log"
tree=$(git write-tree)
commit=$(git -c user.name=bidsloom -c user.email=bidsloom commit-tree -m Shorten "$tree")
git update-ref refs/heads/git-annex "$commit"
rm "$GIT_INDEX_FILE"
"""
# $1: settings.  What is left of `git annex init` where its findings are known; by
# the folder `annex`, DataLad knows that it needs no more.
ADOPT = """\
printf '%s' "$1" >> .git/config && mkdir -p .git/annex .git/info &&
echo '* filter=annex' > .git/info/attributes
"""


@dataclass
class Findings:
    """What git-annex found out about a file system when it was initialised there, as settings.

    It tries out locks, links and its database, which takes as long as to get a
    file.  Further clones on the same file system take its findings over.
    """

    settings: str = ""

    def read(self, clone: Path) -> None:
        """Read them from a clone in which git-annex was initialised."""
        entries = read_settings(clone, r"^(annex|filter\.annex)\.")
        self.settings = "".join(
            setting(key, value) for key, value in entries if key != "annex.uuid"
        )

    def for_clone(self) -> str:
        """The settings of one more clone, with a UUID of its own."""
        return self.settings + setting("annex.uuid", str(uuid4()))


@cache
def findings_below(folder: Path) -> Findings:
    """What this process knows of the file system that holds a folder of clones."""
    return Findings()


def lay_out_steps(
    name: str,
    source: Path,
    clone: Path,
    commit: str,
    *,
    paths: list[str],
    keys: list[str] | None,
    known: Findings | None = None,
) -> Iterator[Step]:
    """Check out some paths of a commit in a clone without a work tree."""
    yield Step(name, ["sh", "-c", LAY_OUT, "lay-out", commit, *paths], clone)
    yield from annex_steps(name, source, clone, keys=keys, known=known)
    yield Step(name, ["git", "update-ref", "--no-deref", "HEAD", commit], clone)


def remotes_of(source: Path) -> list[str]:
    """Options of `git clone` that give the clone the source's own remotes."""
    remotes = f"include.path={source}/.git/bidsloom-remotes"
    return ["-c", remotes, "-c", "remote.study.annex-ignore=true"]


def annex_steps(
    name: str,
    source: Path,
    clone: Path,
    *,
    keys: list[str] | None,
    known: Findings | None = None,
) -> Iterator[Step]:
    """Initialise git-annex in a clone, with the location logs of some keys (None: of all).

    What it finds out about the file system is added to what is `known`, or is
    taken from there.
    """
    branch = annex_branch(source)
    if not branch:
        return
    tuned = is_tuned(source, branch)
    yield log_step(name, branch, clone, keys=None if tuned else keys)
    if known and known.settings and not tuned:
        yield Step(name, ["sh", "-c", ADOPT, "adopt", known.for_clone()], clone)
        return
    yield Step(name, ["git", "annex", "init", "-q"], clone)
    # A dry run has no clone.
    if known and clone.exists() and not tuned:
        known.read(clone)


def further_paths_steps(
    name: str, source: Path, clone: Path, commit: str, *, paths: list[str], keys: list[str]
) -> Iterator[Step]:
    """Check out more paths in such a clone; `keys` are those of all that it then has."""
    yield Step(name, ["sh", "-c", LAY_OUT_MORE, "lay-out", commit, *paths], clone)
    if branch := annex_branch(source):
        yield log_step(name, branch, clone, keys=None if is_tuned(source, branch) else keys)


def log_step(name: str, branch: str, clone: Path, *, keys: list[str] | None) -> Step:
    """The git-annex branch of a clone, with the location logs of some keys (None: of all).

    `branch` is the source's.
    """
    if keys is None:
        return Step(name, ["git", "update-ref", "refs/heads/git-annex", branch], clone)
    folders = sorted({log_folder(key) for key in keys})
    return Step(name, ["sh", "-c", SHORTEN, "shorten", branch, *folders], clone)


def is_tuned(source: Path, branch: str) -> bool:
    """True where a repository was made with unusual settings, which hold for all its clones.

    Its location logs may be in folders of other names.
    """
    return call_git_success(["cat-file", "-e", f"{branch}:difference.log"], cwd=source)


def link_image_command(source: Path, clone: Path, image: str, commit: str) -> list[str]:
    """The command that puts the image into a clone, as a link to the study's one copy."""
    original = content_path(source, commit, image)
    content = clone / original.relative_to(source)
    script = 'mkdir -p "$(dirname "$2")" && ln -s "$1" "$2"'
    return ["sh", "-c", script, "link-image", str(original), str(content)]


def share_remotes(repository: Path) -> Path:
    """Write a clone's remotes to a file that other clones can include; return its path.

    A job's clone is made from this one, but fetches content from the original
    remotes.  The settings that enable these (of a special remote, for example)
    are in the file.
    """
    target = repository / ".git" / "bidsloom-remotes"
    entries = read_settings(repository, r"^remote\.")
    lines = [setting(key, value) for key, value in entries if not key.endswith(".fetch")]
    temporary = target.with_suffix(f".{os.getpid()}")
    temporary.write_text("".join(lines))
    temporary.replace(target)
    return target


def read_settings(repository: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """Key and value of a repository's own settings whose keys match a pattern."""
    command = ["config", "--local", "--null", "--get-regexp", pattern]
    for entry in filter(None, call_git(command, cwd=repository).split("\0")):
        key, _, value = entry.partition("\n")
        yield key, value


def setting(key: str, value: str) -> str:
    """A setting in git's configuration syntax."""
    section, _, rest = key.partition(".")
    name, _, variable = rest.rpartition(".")
    head = f"{section} {quoted(name)}" if name else section
    return f"[{head}]\n\t{variable} = {quoted(value)}\n"


def quoted(value: str) -> str:
    """A value in git's configuration syntax."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
