"""FitLins' image, where this machine can run it."""

from __future__ import annotations

import os
import shutil

import pytest
from helpers.studies import REPOSITORY

IMAGE = REPOSITORY / ".cache" / "fitlins.sif"


@pytest.fixture(scope="session")
def image():
    """The file of the image, which `make test-apps` builds."""
    reason = None
    if not shutil.which("apptainer"):
        reason = "no apptainer; make test-apps fetches it on Debian, given patchelf"
    elif not IMAGE.exists():
        reason = f"no {IMAGE.relative_to(REPOSITORY)}; build it with: make test-apps"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    return IMAGE
