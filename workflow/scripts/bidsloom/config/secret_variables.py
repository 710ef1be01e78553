"""The variables with credentials that git-annex needs for a study, and no app."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.private_files import read_variables
from .environment import is_for_app_alone
from .values import optional_path

KEY = "datalad.credentials_file"
# What such variables start with, by the type of `datalad.output_content`.
STARTS = {"S3": "AWS_", "webdav": "WEBDAV_", "rclone": "RCLONE_"}


def secret_variables(datalad: Mapping, base: Path) -> dict[str, str]:
    """The variables of `credentials_file`, and those for the content store that are set already.

    `datalad` is that section of a configuration.  Raises `ConfigFailure` where
    the file cannot be read, or others can read it.
    """
    start = STARTS.get(datalad["output_content"].get("type", ""))
    found = {n: v for n, v in os.environ.items() if start and n.startswith(start)}
    path = optional_path(datalad["credentials_file"], base)
    if path is None:
        return found
    try:
        given = read_variables(path, key=KEY)
    except WorkflowFailure as e:
        raise ConfigFailure([e]) from e
    if wrong := sorted(filter(is_for_app_alone, given)):
        failure = WorkflowFailure(
            f"{KEY} sets {', '.join(wrong)}, which would change how the job's own programs work.",
            hint="leave the lines with credentials alone in it.",
        )
        raise ConfigFailure([failure])
    return found | given
