"""A job's clones: of the study dataset and of the input, as little as the unit needs.

What the clones share with the study's own is read there, never copied: objects,
and the image.  Neither the number of subjects nor that of finished units is
felt: a clone's index lists one unit's files, and its location log one unit's
keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .bids import annex_branch, annexed_keys
from .clones import CONTAINERS_PATH, clone_containers
from .containers import content_path, image_path
from .runners import call_git_success
from .steps import Job, Step
from .stores import log_folder
from .targets import Target

# `git clone` of one branch, without a work tree, with the other's objects.
# annex.private comes before git-annex does, so that the clone stands in no
# location log; no hook of git-annex is needed, and no commit of its journal.
CLONE = ["git", "clone", "-q", "--shared", "--no-checkout", "--no-tags", "--single-branch"]
CLONE += ["-c", "annex.private=true", "-c", "gc.auto=0", "-c", "core.hooksPath=/dev/null"]
CLONE += ["-c", "annex.alwayscommit=false"]

# $1: a commit, the rest: paths.  An index of these alone, laid out before
# git-annex is there: its filter would start for every file, and its
# initialisation would look at all that HEAD holds.
LAY_OUT = """\
git symbolic-ref HEAD refs/heads/none && git ls-tree -r -z "$@" |
git update-index -z --index-info && git checkout-index -q -a
"""

# $1: a git-annex branch, the rest: folders of location logs.  A branch with
# these, and with all that describes the repositories, which lies at its root.
# It leaves the clone never, so nobody signs it: a node may not know who you are.
SHORTEN = """\
set -e
source=$1
shift
export GIT_INDEX_FILE=.git/annex-index
{ git ls-tree "$source"; [ $# = 0 ] || git ls-tree -r "$source" -- "$@"; } |
sed -n '/^[0-9]* blob /p' | git update-index --index-info
tree=$(git write-tree)
commit=$(git -c user.name=bidsloom -c user.email=bidsloom commit-tree -m Shorten "$tree")
git update-ref refs/heads/git-annex "$commit"
rm "$GIT_INDEX_FILE"
"""


def clone_steps(job: Job, clone: Path) -> Iterator[Step]:
    """From nothing to a clone with the unit's tree, on its branch, without data."""
    study, source, base = job.study, job.study.dataset, job.bases[""]
    own = ["--origin", "study", "--branch", "base", *remotes_of(source)]
    yield Step("clone", [*CLONE, *own, str(source), str(clone)], clone.parent)
    yield from start_steps(job, clone, job.targets[-1])
    if study.container.dataset:
        yield from container_dataset_steps(job, clone)
    else:
        yield Step("clone", link_image_command(source, clone, image_path(study), base), clone)
    for target in job.targets[:-1]:
        yield from output_steps(job, clone, target)

    for source in job.sources:
        target, commit, paths = clone / source.path, source.commit, source.paths
        own = ["--origin", "study", *remotes_of(source.clone)]
        yield Step("structure", [*CLONE, *own, str(source.clone), str(target)], clone)
        # The unit's files and what BIDS lets it inherit, and no other subject.
        keys = annexed_keys(source.clone, commit, paths) if paths else []
        yield from lay_out_steps("structure", source.clone, target, commit, paths=paths, keys=keys)


def output_steps(job: Job, clone: Path, target: Target) -> Iterator[Step]:
    """An output that is a dataset of its own, on the job's branch, as it was before any result."""
    place, own = clone / target.path, ["--origin", "study", "--branch", "base"]
    remotes = remotes_of(target.dataset)
    yield Step("clone", [*CLONE, *own, *remotes, str(target.dataset), str(place)], clone)
    yield from start_steps(job, clone, target)


def start_steps(job: Job, clone: Path, target: Target) -> Iterator[Step]:
    """The job's branch in a clone without a work tree, checked out where it starts."""
    place, base = clone / target.path, job.bases[target.path]
    yield Step("clone", ["git", "checkout", "-q", "-b", job.branch, base], place)
    # What the group level reads lies in main, whose logs are the whole branch.
    keys = None if job.unit.is_group else []
    yield from annex_steps("clone", target.dataset, place, keys=keys)


def lay_out_steps(
    name: str, source: Path, clone: Path, commit: str, *, paths: list[str], keys: list[str]
) -> Iterator[Step]:
    """Some paths of a commit in a clone without a work tree."""
    yield Step(name, ["sh", "-c", LAY_OUT, "lay-out", commit, *paths], clone)
    yield from annex_steps(name, source, clone, keys=keys)
    yield Step(name, ["git", "update-ref", "--no-deref", "HEAD", commit], clone)


def remotes_of(source: Path) -> list[str]:
    """Options of `git clone` that make the source's remotes those of the clone."""
    remotes = f"include.path={source}/.git/bidsloom-remotes"
    return ["-c", remotes, "-c", "remote.study.annex-ignore=true"]


def annex_steps(name: str, source: Path, clone: Path, *, keys: list[str] | None) -> Iterator[Step]:
    """Let a clone be git-annex' with what its source knows of some keys, None for all."""
    if branch := annex_branch(source):
        # A repository may keep its logs in other folders than usual; then all are taken.
        tuned = ["cat-file", "-e", f"{branch}:difference.log"]
        if keys is None or call_git_success(tuned, cwd=source):
            yield Step(name, ["git", "update-ref", "refs/heads/git-annex", branch], clone)
        else:
            folders = sorted({log_folder(key) for key in keys})
            yield Step(name, ["sh", "-c", SHORTEN, "shorten", branch, *folders], clone)
        yield Step(name, ["git", "annex", "init", "-q"], clone)


def container_dataset_steps(job: Job, clone: Path) -> Iterator[Step]:
    """The container dataset in a job's clone, with one image of it."""
    study, image, key = job.study, job.study.container.image, job.prepared["container_key"]
    commit, target = clone_containers(study), clone / CONTAINERS_PATH
    yield Step("clone", [*CLONE, str(study.containers), str(target)], clone)
    keys = [key] if "--" in key else []  # an image may lie in git itself
    yield from lay_out_steps("clone", study.containers, target, commit, paths=[image], keys=keys)
    if keys:
        yield Step("clone", link_image_command(study.containers, target, image, commit), target)


def link_image_command(source: Path, clone: Path, image: str, commit: str) -> list[str]:
    """Lay the image's content into a clone as a link to the study's one copy."""
    original = content_path(source, commit, image)
    content = clone / original.relative_to(source)
    script = 'mkdir -p "$(dirname "$2")" && ln -s "$1" "$2"'
    return ["sh", "-c", script, "link-image", str(original), str(content)]
