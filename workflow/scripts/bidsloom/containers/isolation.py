"""What a runtime can keep from an app: the network, and what Charliecloud cannot do."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import call
from ..config import Study

# In the shell line of Charliecloud's call: an option for `unshare` where the node allows it.
# In a network of its own even `localhost` has to be switched on.
OWN_NETWORK = "$(unshare --user --map-root-user --net true 2>/dev/null && echo --net) "
LOCALHOST = "ip link set lo up 2>/dev/null || :; "


@cache
def can_take_network() -> bool:
    """True where this user can start a program without a network on this node."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    try:
        call(["unshare", *user, "--net", "true"], cwd=Path("/"))
    except (CommandError, OSError):
        return False
    return True


def without_network(prefix: str) -> dict[str, str]:
    """Variables by which Apptainer (or Singularity, by `prefix`) takes away the network.

    As options in the call format they would end every job on a node that
    allows no network of one's own.
    """
    return {f"{prefix}_NET": "true", f"{prefix}_NETWORK": "none"} if can_take_network() else {}


def check_charliecloud(study: Study) -> None:
    """Refuse values that cannot be handed to Charliecloud in a file."""
    for name, value in study.resources.environment:
        if "\n" in value:
            raise WorkflowFailure(
                f"hpc.environment.{name} has several lines, which Charliecloud cannot take.",
                hint="write its value to a file, and mount the file by container.binds.",
            )
    if "=" in str(study.work_dir):
        raise WorkflowFailure(
            f"common.work_dir {study.work_dir} has a '=' in its name, which Charliecloud "
            "cannot take.",
            hint="name another folder.",
        )
