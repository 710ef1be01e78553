"""A chain that is killed again and again ends as one that nothing disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess

import pytest
from helpers.chains import ChainSpace
from helpers.studies import git

# How many deaths, their seed, and the longest time until one.
KILLS = int(os.environ.get("BIDSLOOM_TEST_KILLS", "1000")) // 50
SEED = int(os.environ.get("BIDSLOOM_TEST_SEED", "1"))
LONGEST = 40


def outcome(chain) -> list[str]:
    """What the stores hold: each main's files, its branches, and the main that it registers."""
    found = []
    for name, study in chain.studies.items():
        found += git("ls-tree", "-r", "main", f"{name}/", cwd=study.store).splitlines()
        found += [f"{name}: {branch}" for branch in study.branches()]
        for other in chain.studies.values():
            link = git("ls-tree", "main", f"sourcedata/{other.name}", cwd=study.store)
            if link:
                assert link.split()[2] == git("rev-parse", "main", cwd=other.store)
    return found


@pytest.mark.kills
def test_killed_at_random_moments(tmp_path, input_dataset):
    """Whenever a run ends well, all is merged, and each main registers that of its input."""
    chain = ChainSpace(tmp_path / "my chain")
    chain.add("first", input_dataset)
    chain.add("second", input_dataset, "first")
    chain.snakemake()
    expected = outcome(chain)
    moments = random.Random(SEED)
    for number in range(KILLS):
        if number % 4 == 0:
            for folder in ("results", "out put", ".snakemake"):
                shutil.rmtree(chain.root / folder, ignore_errors=True)
        with (chain.root / "snakemake.out").open("w") as out:
            process = subprocess.Popen(
                chain.command(), cwd=chain.root, stdout=out, stderr=out, start_new_session=True
            )
        try:
            code = process.wait(timeout=moments.uniform(1, LONGEST))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            chain.snakemake("--unlock")
            code = None
        if code == 0:
            assert expected == outcome(chain)
        if number % 4 == 3:
            chain.snakemake()
            assert expected == outcome(chain)
