"""Chains: several studies in one run, each unit's next step as soon as its last one is done."""

from __future__ import annotations

import pytest
from helpers.chains import ChainSpace
from helpers.studies import git, run


@pytest.fixture
def chain(tmp_path, input_dataset):
    """Two studies; the second one reads the results of the first."""
    space = ChainSpace(tmp_path / "my chain")
    space.add("first", input_dataset)
    space.add("second", input_dataset, "first")
    return space


def test_a_chain_runs_as_one(chain):
    """Each result names the commit that it was made from; a failed unit holds up only its own."""
    first, second = chain.studies.values()
    (first.switches / "fail-03").write_text("2")
    done = chain.snakemake(check=False)
    assert 1 == done.returncode
    assert "bidsloom: second: 3 units\n3 unit(s) to process, 0 done:\n  3 new" in done.stderr
    assert ["01", "02"] == second.runs()
    assert ["sub-01", "sub-02"] == second.ledger()
    assert "waits for sub-03 of first, which failed" in (second.results / "report.tsv").read_text()
    record = second.record("sub-01")
    assert {"sourcedata/first": first.record("sub-01")["commit"]} == record["read"]

    # The failed one, and its next step; nothing else.
    (first.switches / "fail-03").unlink()
    chain.snakemake()
    assert ["01", "02", "03"] == second.runs()
    assert "Nothing to be done" in chain.snakemake("-n").stdout
    overview = (chain.root / "results" / "chain.html").read_text()
    assert 2 == overview.count("3 merged")

    # Main registers main of the study that it reads; a rerun in a fresh clone works.
    main = git("rev-parse", "main", cwd=first.store)
    assert main == git("rev-parse", "main:sourcedata/first", cwd=second.store)
    clone, commit = second.clone(), record["commit"]
    run("datalad", "-l", "error", "rerun", "--onto", f"{commit}^", commit, cwd=clone)
    assert 2 == second.runs().count("01")
    assert "" == git("diff", "--name-only", commit, "HEAD", cwd=clone)

    # A change of the first study: its units are due, and theirs in the second one.
    first.config["container"]["bids_args"]["note"] = "another"
    dry = chain.snakemake("-n")
    assert "3 argument --note added" in dry.stderr
    assert "3 the result of first that it reads is renewed" in dry.stderr
    assert "Process sub-02: the result of first that it reads is renewed" in dry.stdout
    chain.snakemake()
    assert "another" == first.report_of("sub-02")["note"]
    assert 2 == second.runs().count("02")
    assert "Nothing to be done" in chain.snakemake("-n").stdout
