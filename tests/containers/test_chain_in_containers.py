"""A chain of three apps, each in the containers of another runtime."""

import pytest
from helpers.chains import ChainSpace
from helpers.containers import use_runtime
from helpers.studies import git, run

RUNTIMES = ("apptainer", "charliecloud", "podman")


@pytest.mark.more
def test_each_app_sees_what_the_one_before_it_wrote(tmp_path, images, input_dataset, monkeypatch):
    """Content reaches the next container, and a rerun in a fresh clone gives the same files."""
    monkeypatch.setenv("CONTAINERS_CONF", "")
    chain = ChainSpace(tmp_path / "my chain")
    reads: tuple[str, ...] = ()
    for runtime in RUNTIMES:
        study = chain.add(runtime, input_dataset, *reads)
        use_runtime(study, runtime, images)
        reads = (*reads, runtime)
    chain.snakemake()
    last = chain.studies[RUNTIMES[-1]]
    assert ["sub-01", "sub-02", "sub-03"] == last.ledger()
    seen = last.report_of("sub-02")
    for runtime in RUNTIMES[:-1]:
        assert seen[f"sourcedata/{runtime}/{runtime}"]["sub-02/sub-02_desc-probe.dat"] > 0
        registered = git("rev-parse", f"main:sourcedata/{runtime}", cwd=last.store)
        assert registered == git("rev-parse", "main", cwd=chain.studies[runtime].store)
    clone, commit = last.clone(), last.record("sub-02")["commit"]
    run("datalad", "-l", "error", "rerun", "--onto", f"{commit}^", commit, cwd=clone)
    assert "" == git("diff", "--name-only", commit, "HEAD", cwd=clone)
