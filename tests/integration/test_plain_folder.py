"""A plain BIDS folder as input: imported without a copy, and without a write into it."""

import os
import shutil

import pytest
from helpers.studies import git, make_workspace, run, write_bids, write_unit

NO_RIGHTS = ("--inh-caps=-dac_override,-dac_read_search",)
NO_RIGHTS += ("--bounding-set=-dac_override,-dac_read_search",)


@pytest.fixture
def folder(tmp_path):
    """Three subjects in a folder that is no git repository."""
    root = tmp_path / "plain data"
    root.mkdir()
    write_bids(root, {"01": [None], "02": [None], "03": [None]})
    return root


@pytest.fixture
def study(tmp_path, folder):
    return make_workspace(tmp_path / "my study", folder)


def state(root):
    """Every file and folder below a root, with what a write would change."""
    paths = [root, *sorted(root.rglob("*"))]
    return [(str(p), (s := p.lstat()).st_mtime_ns, s.st_mode, s.st_size) for p in paths]


def dataset_of(study):
    """The dataset that was made of the folder."""
    (place,) = (p for p in (study.root / "imported").iterdir() if p.is_dir())
    return place


def objects(place):
    """Annexed content in a dataset."""
    return [p for p in (place / ".git" / "annex").rglob("*") if p.is_file() and "SHA256" in p.name]


def test_a_plain_folder_is_processed_without_a_copy_of_it(study, folder):
    """No object is copied, no file of the folder changes, and what changes there is due."""
    before = state(folder)
    assert "Process sub-01: new\n" in study.snakemake("-n").stdout
    study.snakemake()
    assert ["01", "02", "03"] == study.runs()
    assert before == state(folder)
    place = dataset_of(study)
    assert [] == objects(place) == objects(study.results / "input")
    assert str(place) == git(
        "config", "--blob", "main:.gitmodules", "submodule.sourcedata/raw.url", cwd=study.store
    )
    assert "Nothing to be done" in study.snakemake().stderr

    image = folder / "sub-02" / "anat" / "sub-02_T1w.nii.gz"
    image.write_bytes(b"other voxels")
    write_unit(folder / "sub-04", "sub-04")
    shutil.rmtree(folder / "sub-03")
    said = study.snakemake("-n")
    said = said.stdout + said.stderr
    assert "Process sub-02: input changed\n" in said and "Process sub-04: new\n" in said
    assert "Process sub-01" not in said
    assert "withdrawn from the input, kept in main: sub-03\n" in said
    study.snakemake()
    assert ["01", "02", "02", "03", "04"] == study.runs()


def test_a_stranger_computes_it_again(study, folder):
    """By the commands in the README of the output dataset; `prove` needs none."""
    study.snakemake()
    study.snakemake("--cores", "1", "prove")
    assert "identical" in (study.results / "proof.json").read_text()
    clone = study.clone()
    lines = (clone / "README.md").read_text().splitlines()
    commands = [line for line in lines if line.startswith("    ") and "sourcedata/raw" in line]
    assert 3 == len(commands)
    for command in commands:
        run("sh", "-c", command, cwd=clone)
    commit = git("log", "-1", "--format=%H", "--grep=Bidsloom-Unit: sub-01", cwd=clone)
    head, runs = git("rev-parse", "HEAD", cwd=clone), study.runs()
    run("datalad", "-l", "error", "rerun", commit, cwd=clone)
    assert sorted([*runs, "01"]) == study.runs()
    assert "" == git("diff", "--name-only", head, "HEAD", cwd=clone)


def test_what_cannot_be_read_is_left_out_by_name(study, folder):
    """Its subjects are named and not submitted; the others go on, and earlier results stay."""
    study.prefix = ("setpriv", *NO_RIGHTS) if os.geteuid() == 0 else ()
    study.snakemake()
    (folder / "sub-01" / "anat" / "sub-01_T1w.nii.gz").chmod(0)
    (folder / "sub-02" / "anat").chmod(0)
    (folder / "sub-03" / "anat" / "sub-03_T2w.nii.gz").symlink_to("/elsewhere/scan.nii.gz")
    write_unit(folder / "sub-04", "sub-04")
    (folder / "notes.docx").write_text("mine")
    (folder / "notes.docx").chmod(0)
    try:
        done = study.snakemake()
        assert ["01", "02", "03", "04"] == study.runs()
        excluded = (study.results / "excluded.tsv").read_text()
        assert "sub-01\tsub-01/anat/sub-01_T1w.nii.gz cannot be read\n" in excluded
        assert "sub-02\tsub-02/anat cannot be read (Permission denied)\n" in excluded
        leads = "sub-03/anat/sub-03_T2w.nii.gz is a link that leads out of sub-03"
        assert f"sub-03\t{leads}\n" in excluded
        assert "warning: notes.docx of " in done.stderr
        assert "withdrawn" not in done.stderr
        assert "probe/sub-01.html" in study.tree()
        # What all subjects may inherit is not left out.
        (folder / "task-rest_bold.json").chmod(0)
        assert "without task-rest_bold.json" in study.snakemake("-n", check=False).stderr
    finally:
        for path in ("sub-02/anat", "sub-01/anat/sub-01_T1w.nii.gz", "task-rest_bold.json"):
            (folder / path).chmod(0o755)
    (folder / "sub-03" / "anat" / "sub-03_T2w.nii.gz").unlink()
    assert "nothing to process: 4 unit(s) are done" in study.snakemake("-n").stderr


@pytest.mark.more
def test_a_lost_import_is_made_again(study, folder):
    """Results stay valid: they are of the same files."""
    study.snakemake()
    for lost in (study.root / "imported", study.results):
        run("chmod", "-R", "u+w", lost, cwd=study.root)
        shutil.rmtree(lost)
    study.snakemake()
    assert ["01", "02", "03"] == study.runs()
