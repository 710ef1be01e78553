"""Several output datasets of one job: fMRIPrep's results and FreeSurfer's subjects, say."""

import io
import shutil
import zipfile

import pytest
from bidsloom.base.errors import CommandError, WorkflowFailure
from bidsloom.config import Study, read_study
from bidsloom.datasets.output_datasets import list_outputs
from bidsloom.datasets.stored_files import list_result_files
from bidsloom.merge import publish
from bidsloom.merge.merge import merge_branches
from helpers.studies import git, run

SURFACES = "sourcedata/surfaces"


@pytest.fixture
def two_outputs(workspace):
    """A study whose app writes to the output dataset, and to a dataset of its own in it."""
    workspace.surfaces = workspace.root / "out put" / "surfaces.git"
    container = workspace.config["container"]
    container["outputs"] = ["probe", {"path": SURFACES, "repo": str(workspace.surfaces)}]
    container["bids_args"]["fs-subjects-dir"] = SURFACES
    return workspace


def test_each_output_is_a_dataset(two_outputs):
    """Main of each holds every unit; the output dataset registers the other's merged commit."""
    two_outputs.snakemake()
    assert ["base", "git-annex", "main"] == two_outputs.branches()
    assert ["base", "git-annex", "main"] == two_outputs.branches(two_outputs.surfaces)
    link = git("rev-parse", f"main:{SURFACES}", cwd=two_outputs.store)
    assert git("rev-parse", "main", cwd=two_outputs.surfaces) == link
    files = git("ls-tree", "-r", "--name-only", "main", cwd=two_outputs.surfaces)
    assert {f"sub-0{n}/surf/lh.white" for n in (1, 2, 3)} <= set(files.splitlines())
    assert "sub-01" == git("show", "main:logs/first.txt", cwd=two_outputs.surfaces)
    message = git(
        "log", "--format=%B", "--grep=Bidsloom-Unit: sub-02", "main", cwd=two_outputs.surfaces
    )
    assert "RUNCMD" not in message

    # A fresh clone has both, and a record runs again to the same in both.
    clone = two_outputs.clone()
    run("datalad", "get", f"{SURFACES}/sub-03", cwd=clone)
    assert (clone / SURFACES / "sub-03" / "surf" / "lh.white").read_bytes() == b"sub-03\0" * 50
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-01", cwd=clone)
    head = git("rev-parse", "HEAD", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert ["01", "01", "02", "03"] == two_outputs.runs()
    assert git("rev-parse", "HEAD", cwd=clone) == head
    assert link == git("rev-parse", "HEAD", cwd=clone / SURFACES)

    # Nothing is done twice, not even without results/.
    run("chmod", "-R", "u+w", two_outputs.root / "results", cwd=two_outputs.root)
    shutil.rmtree(two_outputs.root / "results")
    two_outputs.snakemake()
    assert ["01", "01", "02", "03"] == two_outputs.runs()

    # A new result replaces the old one in both; here it has no surfaces any more.
    (two_outputs.switches / "no-surfaces").touch()
    two_outputs.config["subjects"] = {"include": ["02"]}
    two_outputs.config["container"]["bids_args"]["note"] = "without"
    two_outputs.snakemake()
    files = git("ls-tree", "-r", "--name-only", "main", cwd=two_outputs.surfaces).splitlines()
    assert "sub-01/surf/lh.white" in files and "sub-02/surf/lh.white" not in files
    link = git("rev-parse", f"main:{SURFACES}", cwd=two_outputs.store)
    assert git("rev-parse", "main", cwd=two_outputs.surfaces) == link


def study_of(workspace) -> Study:
    return read_study(workspace.config, base=workspace.root)


@pytest.fixture
def unmerged(two_outputs):
    """The study with its three jobs done and nothing merged."""
    jobs = [f"results/probe/jobs/sub-0{n}.json" for n in (1, 2, 3)]
    two_outputs.snakemake("--cores", "2", *jobs)
    return two_outputs


def test_nothing_is_half_merged(unmerged, monkeypatch):
    """Whichever push is the last one, the output dataset registers what can be fetched."""
    study, pushes = study_of(unmerged), []
    push_branch = publish.push_branch
    before = git("rev-parse", "main", cwd=unmerged.store)

    def push_some(output, branch, commit, *, seen):
        if len(pushes) == allowed:
            raise CommandError(["git", "push"], str(output.dataset), 1, "the cable was pulled")
        pushes.append(branch)
        push_branch(output, branch, commit, seen=seen)

    for allowed in range(4):
        pushes.clear()
        monkeypatch.setattr(publish, "push_branch", push_some)
        with pytest.raises(WorkflowFailure, match="the cable was pulled"):
            merge_branches(study)
        main = git("rev-parse", "main", cwd=unmerged.store)
        # One push brings the part's commits, the second one makes them count.
        assert (main == before) == (allowed < 2)
        clone = unmerged.clone(f"clone {allowed}")
        run("datalad", "-l", "error", "get", "-n", SURFACES, cwd=clone)
        link = git("rev-parse", f"HEAD:{SURFACES}", cwd=clone)
        assert link == git("rev-parse", "HEAD", cwd=clone / SURFACES)
        if allowed >= 2:
            break
    monkeypatch.undo()
    merged = merge_branches(study)
    assert ("sub-01", "sub-02", "sub-03") == merged.merged
    assert link == git("rev-parse", "main", cwd=unmerged.surfaces)
    assert ["base", "git-annex", "main"] == unmerged.branches(unmerged.surfaces)
    assert ["base", "git-annex", "main"] == unmerged.branches()
    # A merge that died after its last push of a main; nothing is new for the next one.
    git("branch", "merging", "main", cwd=unmerged.surfaces)
    merge_branches(study)
    assert ["base", "git-annex", "main"] == unmerged.branches(unmerged.surfaces)


def test_lost_part_leaves_the_unit_unmerged(unmerged):
    """A result of which one store lost its part is named, stays out of both, and is due again."""
    git("branch", "-q", "-D", "job/probe/sub-02", cwd=unmerged.surfaces)
    done = unmerged.snakemake("--cores", "1", "merge", check=False)
    assert f"sub-02: its part of {SURFACES} is not in that store" in done.stderr
    assert "sub-02" not in git("ls-tree", "-r", "--name-only", "main", cwd=unmerged.surfaces)
    assert "probe/sub-02.html" not in unmerged.tree()
    assert "probe/sub-01.html" in unmerged.tree()
    unmerged.snakemake()
    assert ["01", "02", "02", "03"] == unmerged.runs()
    assert "probe/sub-02.html" in unmerged.tree()


def test_what_others_add_to_a_part_stays(unmerged):
    """A commit that somebody made in the other dataset's main is built upon."""
    study = study_of(unmerged)
    merge_branches(study)
    theirs = unmerged.root / "theirs"
    run("datalad", "-l", "error", "clone", unmerged.surfaces, theirs, cwd=unmerged.root)
    (theirs / "README.md").write_text("about the surfaces")
    run("datalad", "-l", "error", "save", cwd=theirs)
    git("push", "-q", "origin", "main", cwd=theirs)
    merge_branches(study)
    link = git("rev-parse", f"main:{SURFACES}", cwd=unmerged.store)
    assert git("rev-parse", "HEAD", cwd=theirs) == link
    assert "surf/lh.white" in git("ls-tree", "-r", "--name-only", link, cwd=unmerged.surfaces)


def test_archives(two_outputs):
    """Each unit is one file in each output; a rerun gives the same bytes."""
    container = two_outputs.config["container"]
    container["archive"] = True
    # This one in a RIA store.
    two_outputs.surfaces = two_outputs.root / "ria" / "alias" / "surfaces"
    container["outputs"][1]["repo"] = f"ria+file://{two_outputs.root}/ria#~surfaces".replace(
        " ", "%20"
    )
    container["bids_args"]["fs-subjects-dir"] = "{output_2}"
    two_outputs.snakemake()
    files = git("ls-tree", "-r", "--name-only", "main", "probe/", cwd=two_outputs.store)
    zips = [f"probe/sub-0{n}.zip" for n in (1, 2, 3)]
    assert ["probe/dataset_description.json", *zips] == files.splitlines()
    files = git(
        "ls-tree", "-r", "--name-only", "main", "--", "sub-02.zip", cwd=two_outputs.surfaces
    )
    assert "sub-02.zip" == files
    clone = two_outputs.clone()
    run("datalad", "get", "probe/sub-02.zip", cwd=clone)
    with zipfile.ZipFile(clone / "probe" / "sub-02.zip") as archive:
        assert {"sub-02/sub-02_desc-probe.dat", "sub-02.html"} <= set(archive.namelist())
        assert archive.testzip() is None
    # The report opens a page that is in an archive; the other one is found in its RIA store.
    page = two_outputs.results / "pages" / "sub-02" / "probe" / "sub-02" / "sub-02.html"
    assert "<p>sub-02</p>" == page.read_text()
    merged = two_outputs.record("sub-02")["commit"]
    (result,) = list_result_files(list_outputs(study_of(two_outputs)), [merged]).values()
    archives = result.locate(result.entries)
    assert {"probe/sub-02.zip", f"{SURFACES}/sub-02.zip"} == set(archives)
    assert all(zipfile.is_zipfile(io.BytesIO(archive.read())) for archive in archives.values())
    head = git("rev-parse", "HEAD", cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-02", cwd=clone)
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert ["01", "02", "02", "03"] == two_outputs.runs()
    assert head == git("rev-parse", "HEAD", cwd=clone)


def test_an_output_stays_what_it_is(unmerged):
    """Neither does a dataset become a folder, nor a folder with results a dataset."""
    study, container = study_of(unmerged), unmerged.config["container"]
    container["outputs"] = ["probe", SURFACES]
    said = unmerged.snakemake(check=False).stderr
    assert f"The output {SURFACES} was a dataset of its own" in said
    merge_branches(study)
    container["outputs"] = [{"path": "probe", "repo": "probe.git"}]
    said = unmerged.snakemake(check=False).stderr
    assert "The output probe lies in the output dataset" in said
    assert "Traceback" not in said
