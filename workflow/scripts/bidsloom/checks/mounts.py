"""Checks of files and folders that the app can see: licence, TemplateFlow, binds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..config import Study
from ..config.study import Bind
from ..containers.runtimes import mounts
from .findings import Check


def mount_checks(study: Study, *, bare: bool) -> Iterator[Check]:
    """The checks of the licence, the template folder and the binds of the app.

    The scratch folder is mounted too, with its own path, unless the app runs
    `bare`, without a container.
    """
    container = study.container
    if not bare:
        wanted = "a path that a container runtime can mount"
        yield Check("common.work_dir", wanted, lambda: check_mountable(study.work_dir))
    keys = {
        container.freesurfer_license: "container.freesurfer_license",
        container.templateflow_home: "container.templateflow_home",
    }
    for bind in mounts(container):
        key = keys.get(bind.source, "container.binds")
        yield Check(
            f"{key} {bind.source}" if key == "container.binds" else key,
            "there and readable",
            partial(check_mount, bind, key),
            partial("{0.source}, for the app at {0.target}".format, bind),
        )


def check_mountable(work_dir: Path) -> None:
    """Refuse a scratch folder whose path a runtime would misread."""
    if set(',:"$`') & set(str(work_dir)):
        raise WorkflowFailure(
            f"common.work_dir {work_dir}: a container runtime cannot mount a path with "
            'one of , : " $ `.',
            hint="name another folder, or a link to it without these characters.",
        )


def check_mount(bind: Bind, key: str) -> None:
    """Refuse a mount that is missing, or whose path a runtime would misread."""
    folder = bind.source.is_dir()
    if not os.access(bind.source, os.R_OK | (os.X_OK if folder else 0)):
        what = "cannot be read" if bind.source.exists() else "does not exist"
        raise WorkflowFailure(
            f"{key} {bind.source} {what}.",
            hint="correct the path, or mount the disk that it is on.",
        )
    if key == "container.freesurfer_license" and folder:
        raise WorkflowFailure(
            f"{key} {bind.source} is a folder; expected: the licence file itself.",
            hint="name the file, usually license.txt in the FreeSurfer folder.",
        )
    if key == "container.freesurfer_license" and not bind.source.stat().st_size:
        raise WorkflowFailure(
            f"{key} {bind.source} is empty.",
            hint="copy the licence file that FreeSurfer sent you to that path.",
        )
    if set(",:") & set(f"{bind.source}{bind.target}"):
        raise WorkflowFailure(
            f"{key} {bind.source}: a container runtime cannot mount a path with ':' or ','.",
            hint="make a link to it without these characters, and name that.",
        )
