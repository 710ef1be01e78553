"""A chain over several datasets, one of which is wrong."""

from __future__ import annotations

import json

from helpers.chains import ChainSpace
from helpers.studies import git, make_input


def test_a_fault_in_one_dataset_stops_that_one_alone(tmp_path):
    """The others are processed; the exit code and the overview say so."""
    (tmp_path / "data").mkdir()
    for dataset in ("ds1", "ds2"):
        make_input(tmp_path / "data" / dataset, {"01": [None]})
    space = ChainSpace(tmp_path / "my campaign", extra={"datasets": ["ds1", "ds2", "ds3"]})
    for name, reads in (("prep", ()), ("glm", ("prep.yaml",))):
        study = space.add(name, tmp_path / "data" / "{dataset}", *reads)
        if reads:
            # The app is given the other study's results in place of the raw dataset.
            study.config["datalad"]["inputs"][0] = {"study": "prep.yaml", "bids_dir": True}
        study.config["study"] = f"{{dataset}}-{name}"
        study.config["datalad"]["output_repos"] = [f"stores/{{dataset}}-{name}.git"]
    dry = space.snakemake("-n")
    assert "ds3-prep: " in dry.stderr
    assert "data/ds3" in dry.stderr
    assert "refuse_datasets" in dry.stdout
    done = space.snakemake(check=False)
    assert 1 == done.returncode
    results = space.root / "results"
    told = json.loads((results / "chain.json").read_text())["studies"]
    merged = {line["study"]: line["counts"] for line in told if line["study"]}
    every = ("ds1-prep", "ds1-glm", "ds2-prep", "ds2-glm")
    assert {key: {"merged": 1} for key in every} == merged
    seen = git(
        "show", "main:glm/sub-01/sub-01_desc-probe.json", cwd=space.root / "stores/ds1-glm.git"
    )
    assert "sub-01/sub-01_desc-probe.dat" in json.loads(seen)["files"]
    (refused,) = [line for line in told if not line["study"]]
    assert "ds3" == refused["dataset"]
    page = (results / "chain.html").read_text()
    assert page.count("<tr>") == 4, "a row for each dataset"
    assert '<a href="ds1-glm/report.html">1 merged</a>' in page
    # Started again, nothing is left but the error.
    again = space.snakemake("-n").stdout
    assert ("refuse_datasets" in again, "process_subject" in again) == (True, False)
