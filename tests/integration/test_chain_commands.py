"""A chain whose first study has a result that is not complete: who waits, and what ends that."""

from __future__ import annotations

import json
import sys

import pytest
from helpers.chains import ChainSpace
from helpers.studies import REPOSITORY, STATUS_SCRIPT, run

ACCEPT = REPOSITORY / "workflow" / "scripts" / "accept.py"


@pytest.fixture
def chain(tmp_path, input_dataset):
    """Three studies in a row; a part of the first app crashes for sub-02."""
    space = ChainSpace(tmp_path / "my chain")
    first = space.add("first", input_dataset)
    first.config["container"]["expects"] = ["sub-{subject}/*.dat"]
    first.config["container"]["crash_files"] = ["sub-{subject}/log/crash-*.txt"]
    first.config["container"]["bids_args"]["work-dir"] = "{work_dir}"
    (first.switches / "crash-02").write_text("0")
    space.add("second", input_dataset, "first")
    space.add("third", input_dataset, "second")
    return space


def status(chain, *args):
    """What status.py says of the chain, and its exit code."""
    command = [sys.executable, STATUS_SCRIPT, "--config", chain.write_config(), *args]
    return run(*command, cwd=chain.root, check=False)


def test_what_is_not_complete_holds_up_its_own_next_steps(chain):
    """It says so at each step; once it is accepted, the next steps of that unit follow."""
    first, _second, third = chain.studies.values()
    assert 1 == chain.snakemake(check=False).returncode
    assert ["01", "03"] == third.runs()
    assert ["sub-01", "sub-03"] == third.ledger()
    told = status(chain)
    assert 1 == told.returncode
    assert "first   2 merged, 1 incomplete" in told.stdout
    assert "third   2 merged, 1 waiting" in told.stdout
    (row,) = [
        unit
        for study in json.loads(status(chain, "--json").stdout)["studies"]
        if study["study"] == "third"
        for unit in study["units"]
        if unit["unit"] == "sub-02"
    ]
    assert "waits for sub-02 of first, which is not complete: " in row["reason"]

    # No job is started for what waits.
    dry = chain.snakemake("-n")
    assert "sub-02 waits for sub-02 of first, which is not complete: " in dry.stderr
    assert "process_subject" not in dry.stdout

    refused = run(
        sys.executable, ACCEPT, "02", "--config", chain.write_config(), cwd=chain.root, check=False
    )
    assert 3 == refused.returncode
    assert "--step first (of first, second, third)" in refused.stderr
    unknown = status(chain, "--step", "secnd")
    assert (3, True) == (unknown.returncode, "did you mean 'second'?" in unknown.stderr)
    accept = [sys.executable, ACCEPT, "02", "--config", chain.write_config(), "--step", "first"]
    assert "merged: sub-02" in run(*accept, cwd=chain.root).stdout
    chain.snakemake()
    assert ["01", "02", "03"] == third.runs()
    assert 0 == status(chain).returncode
    assert {"01": 1, "02": 1, "03": 1} == {
        label: first.runs().count(label) for label in first.runs()
    }
