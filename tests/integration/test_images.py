"""Where images come from, and how many copies of one there are."""

import json
import shutil

import pytest
from helpers.servers import serve_folder
from helpers.studies import PROBE_APP, git, run

BIG = """\
#!/bin/sh
# A BIDS App of a gigabyte.
mkdir -p "$2/sub-$5"
du -s --block-size=1M . | cut -f 1 > "$2/sub-$5/sub-$5_size.txt"
exit
"""


def record_of(workspace, unit: str) -> dict:
    """The run record of a unit."""
    message = git("log", "-1", "--format=%B", f"--grep=Bidsloom-Unit: {unit}", cwd=workspace.store)
    start = message.index("===\n") + 4
    return json.loads(message[start : message.index("\n^^^")])


def test_a_big_image_is_not_copied(workspace):
    """A job's clone takes no space for a 1 GB image; a fresh clone's rerun fetches it."""
    image = workspace.root / "big.img"
    with image.open("w") as f:
        f.write(BIG)
        f.truncate(2**30)
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.config["container"] |= {
        "image": str(image),
        "call_fmt": "sh {img} {cmd}",
        "bids_args": {},
    }
    workspace.snakemake()
    size = int(git("show", "main:probe/sub-01/sub-01_size.txt", cwd=workspace.store))
    assert size < 20, f"the clone of a job took {size} MB"
    assert ".datalad/environments/probe/image" in record_of(workspace, "sub-01")["extra_inputs"]

    clone = workspace.clone()
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-01", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert (clone / ".datalad" / "environments" / "probe" / "image").stat().st_size == 2**30


def test_image_of_a_container_dataset(workspace, tmp_path, undisturbed_tree):
    """An image in a dataset of its own is used from one copy, named by its key, and fetched again."""
    images = tmp_path / "container data"
    run("datalad", "-l", "error", "create", images, cwd=tmp_path)
    (images / "images" / "probe").mkdir(parents=True)
    shutil.copyfile(PROBE_APP, images / "images" / "probe" / "probe--1.0.sif")
    (images / "images" / "other.sif").write_text("another")
    run("datalad", "-l", "error", "save", cwd=images)
    first = git("rev-parse", "HEAD", cwd=images)
    container = workspace.config["container"]
    container |= {"dataset": str(images), "image": "images/probe/probe--1.0.sif"}
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()
    assert first == git("rev-parse", "main:containers", cwd=workspace.store)
    record = record_of(workspace, "sub-01")
    assert record["extra_inputs"] == ["containers/images/probe/probe--1.0.sif"]

    # The dataset moves on; the study does not, not even when results/ is lost.
    (images / "images" / "probe" / "probe--1.0.sif").unlink()
    (images / "images" / "probe" / "probe--1.0.sif").write_text("newer")
    run("datalad", "-l", "error", "save", cwd=images)
    run("chmod", "-R", "u+w", workspace.root / "results", cwd=workspace.root)
    shutil.rmtree(workspace.root / "results")
    shutil.rmtree(workspace.root / ".snakemake")
    before = workspace.runs()
    workspace.snakemake()
    assert before == workspace.runs()

    clone = workspace.clone()
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-02", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert (clone / "containers" / "images" / "probe" / "probe--1.0.sif").exists()

    container["image"] = "images/probe/probe--2.0.sif"
    said = workspace.snakemake("-n", check=False).stderr
    assert "images/probe/probe--2.0.sif is not in the container dataset" in said
    assert "Traceback" not in said


@pytest.fixture
def image_url(tmp_path):
    """The probe app behind a URL."""
    (tmp_path / "served").mkdir()
    shutil.copyfile(PROBE_APP, tmp_path / "served" / "probe.sif")
    with serve_folder(tmp_path / "served") as url:
        yield f"{url}/probe.sif"


def test_image_by_url(workspace, tmp_path, image_url, undisturbed_tree):
    """An image behind a URL is fetched once; what is there later changes nothing."""
    served = tmp_path / "served" / "probe.sif"
    workspace.config["container"]["image"] = image_url
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()
    done = workspace.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert workspace.runs() == ["01", "02", "03"]
    # Called in another way, it is still the image that was fetched then.
    served.write_text("import sys; sys.exit(1)")
    workspace.config["container"]["call_fmt"] = "python3 {img} {cmd}"
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()
    assert workspace.runs() == ["01", "01", "02", "02", "03", "03"]
