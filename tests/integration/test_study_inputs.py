"""Results of one study as the input of another one, each started by itself."""

from __future__ import annotations

import copy
import json

from helpers.studies import Workspace, git, run


def second_study(first: Workspace, **given) -> Workspace:
    """A study by the same app of what a first one made, in the same folder."""
    config = copy.deepcopy(first.config)
    config["study"] = "second"
    config["datalad"]["output_repos"] = ["out put/second.git"]
    config["datalad"]["inputs"] = [{"study": "probe", "flag": "--derivatives", **given}]
    config["container"]["outputs"] = ["second"]
    return SecondStudy(first.root, config)


class SecondStudy(Workspace):
    """As `Workspace`, with names of its own."""

    @property
    def results(self):
        return self.root / "results" / "second"

    @property
    def store(self):
        return self.root / "out put" / "second.git"

    def write_config(self):
        path = super().write_config()
        return path.rename(path.with_name("second.yaml"))

    def report_of(self, unit: str) -> dict:
        path = f"main:second/{unit}/{unit}_desc-probe.json"
        return json.loads(git("show", path, cwd=self.store))


def test_a_study_reads_what_another_one_merged(workspace):
    """Each unit reads the other study's result of it; a changed one makes it due, no other one."""
    workspace.config["subjects"] = {"include": ["01", "02"]}
    workspace.snakemake()
    second = second_study(workspace)
    del second.config["subjects"]
    second.snakemake()
    assert ["01", "01", "02", "02"] == workspace.runs()
    excluded = (second.results / "excluded.tsv").read_text()
    assert "sub-03\tstudy probe has no result of it\n" in excluded
    seen = second.report_of("sub-01")["sourcedata/probe/probe"]
    assert {"dataset_description.json", "sub-01.html", "sub-01/sub-01_desc-probe.dat"} <= set(seen)
    assert not [path for path in seen if "sub-02" in path]
    read = second.record("sub-01")["read"]
    assert {"sourcedata/probe": workspace.record("sub-01")["commit"]} == read

    # Main registers main of the other study; a rerun in a fresh clone works.
    main = git("rev-parse", "main", cwd=workspace.store)
    assert main == git("rev-parse", "main:sourcedata/probe", cwd=second.store)
    clone = second.clone()
    commit = second.record("sub-01")["commit"]
    assert read["sourcedata/probe"] == git("rev-parse", f"{commit}:sourcedata/probe", cwd=clone)
    run("datalad", "-l", "error", "rerun", "--onto", f"{commit}^", commit, cwd=clone)
    assert 3 == workspace.runs().count("01")
    assert "" == git("diff", "--name-only", commit, "HEAD", cwd=clone)

    # Nothing is due again; then one more, and one changed.
    assert "nothing to process: 2 unit(s) are done" in second.snakemake("-n").stderr
    workspace.config["subjects"]["include"] = ["01", "02", "03"]
    workspace.snakemake()
    dry = second.snakemake("-n").stderr
    assert "1 unit(s) to process, 2 done" in dry
