"""Runs on the tests' cluster, typed as a user types them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .cluster import Cluster
from .studies import REPOSITORY, STATUS_SCRIPT, run


class OnCluster:
    """What a study, or a chain of them, does on a cluster; it has a `root` and a config file."""

    root: Path
    cluster: Cluster

    def command(self, *args) -> list[str]:
        # From the repository root, by the profile's name alone.
        return [
            *("snakemake", "--profile", "slurm"),
            *("--directory", str(self.root), "--configfile", str(self.write_config())),
            *("--slurm-init-seconds-before-status-checks", "3"),
            *map(str, args),
        ]

    def snakemake(self, *args, check=True, **kwargs):
        environment = self.cluster.environment
        return run(*self.command(*args), cwd=REPOSITORY, env=environment, check=check, timeout=400)

    def start(self, *args) -> subprocess.Popen:
        with (self.root / "snakemake.out").open("w") as out:
            return subprocess.Popen(
                self.command(*args),
                cwd=REPOSITORY,
                env={**os.environ, **self.cluster.environment},
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def status(self, *args) -> subprocess.CompletedProcess:
        """What status.py tells, and its exit code."""
        command = [sys.executable, STATUS_SCRIPT, "--config", self.write_config(), *args]
        return run(*command, cwd=self.root, env=self.cluster.environment, check=False)
