"""Every repository of a study, and the lock files in them.

git and git-annex change a file by way of a lock file beside it.  A process that
is killed leaves its lock file, and then nobody can change that file any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..config import Study
from .output_datasets import list_outputs

# Where a name that ends in `.lock` is a file's own, or files are too many to be listed.
CONTENT = ("objects", "annex/objects", "annex/tmp", "annex/othertmp", "lfs")
# Of those, what git locks itself.
OBJECT_NOTES = ("objects/info", "objects/pack")


@dataclass(frozen=True)
class Repository:
    """A git directory; `shared` says that jobs and other studies may write there, too."""

    git_dir: Path
    shared: bool


def study_repositories(study: Study) -> list[Repository]:
    """Every repository of a study on a mounted file system: its own clones, and its stores.

    Of those that are still to be made, the path where they will be.
    """
    outputs = list_outputs(study)
    clones = [output.dataset for output in outputs]
    clones += [study.input, study.containers]
    for further in study.further_inputs:
        clones += further.clone.glob("sub-*/") if further.is_pattern else [further.clone]
    stores = [output.store.repository for output in outputs]
    return [
        *(Repository(clone / ".git", shared=False) for clone in clones),
        *(Repository(store, shared=True) for store in stores if store),
    ]


def written_folders(study: Study) -> list[Path]:
    """The folders that preparing and merging write to: the study's own, and its mounted stores."""
    stores = [each.git_dir for each in study_repositories(study) if each.shared]
    return [study.results, *stores]


def lock_files(git_dir: Path) -> Iterator[Path]:
    """The lock files of git and git-annex in a git directory; none where there is no directory."""
    content = {git_dir / path for path in CONTENT}
    for folder, folders, files in os.walk(git_dir):
        place = Path(folder)
        folders[:] = [name for name in folders if place / name not in content]
        yield from (place / name for name in files if name.endswith(".lock"))
    for notes in OBJECT_NOTES:
        yield from sorted((git_dir / notes).glob("*.lock"))
