"""The demo: a valid dataset, the shipped study, and what is said at its end."""

import json
import shutil

from helpers.studies import REPOSITORY, git, run

FILES = ["Snakefile", "config", "demo", "profiles", "slurm", "workflow"]


def test_demo_from_nothing_and_again(tmp_path):
    """The dataset passes the BIDS validator, the study runs, a second demo finds nothing to do."""
    root = tmp_path / "a copy"
    root.mkdir()
    for name in FILES:
        run("cp", "-a", REPOSITORY / name, root / name, cwd="/")
    for made in ("bids", "derivatives.git", "scratch", "look"):
        run("chmod", "-Rf", "u+w", root / "demo" / made, cwd="/", check=False)
        shutil.rmtree(root / "demo" / made, ignore_errors=True)
    first = run("bash", "demo/run.sh", cwd=root).stdout
    assert "[DATALAD RUNCMD] imagestats sub-01" in first
    assert "Nothing to do" not in first
    told = run(
        "bids-validator-deno", "--json", root / "demo" / "bids", cwd=root, check=False
    ).stdout
    issues = json.loads(told)["issues"]["issues"]
    assert [issue["code"] for issue in issues if issue["severity"] == "error"] == []
    store = root / "demo" / "derivatives.git"
    files = git("ls-tree", "-r", "--name-only", "main", "derivatives/", cwd=store).splitlines()
    for name in ("sub-01.html", "sub-03/figures/sub-03_ses-pre_T1w.png"):
        assert f"derivatives/imagestats/{name}" in files
    stats = json.loads(
        git("show", "main:derivatives/imagestats/sub-01/anat/sub-01_desc-stats_T1w.json", cwd=store)
    )
    assert stats["Shape"] == [24, 41, 25]
    # The report knows where a subject's page and its figures are.
    page = (root / "results" / "demo" / "report.html").read_text()
    assert '"figures":"subject","pages":[["sub-01.html"],' in page
    assert stats["Voxels"] == sum(stats["Histogram"]) == 24 * 41 * 25
    assert "Nothing to do" in run("bash", "demo/run.sh", cwd=root).stdout
