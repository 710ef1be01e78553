"""Plain folders as datasets."""

import os
import sys
import threading

import pytest
from bidsloom.base.errors import CommandError, WorkflowFailure
from bidsloom.base.paths import SCRIPTS
from bidsloom.base.runners import call, call_annex, call_git, call_git_lines, call_git_records
from bidsloom.datasets.folders import look_into, plain_folder
from bidsloom.datasets.imports import connect_folder, open_source, place_of


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "a folder"
    for subject in ("sub-1", "sub-2"):
        (root / subject / "anat").mkdir(parents=True)
        (root / subject / "anat" / "x.nii.gz").write_bytes(subject.encode() * 100)
        (root / subject / "anat" / "x.json").write_text("{}")
    (root / "derivatives").mkdir()
    (root / "derivatives" / "huge").write_bytes(b"x" * 100)
    (root / "README").write_text("read me")
    return root


def take(folder, **options):
    return open_source(str(folder), folder.parent / "imported", key="datalad.input_repo", **options)


def files(source):
    return call_git_lines(["ls-tree", "-r", "--name-only", "main"], cwd=source.url)


def test_texts_are_in_git_and_images_are_keys(folder):
    """What no job sees is not even read."""
    source = take(folder, skip={"derivatives"})
    images = [f"{s}/anat/x.nii.gz" for s in ("sub-1", "sub-2")]
    texts = [f"{s}/anat/x.json" for s in ("sub-1", "sub-2")]
    assert sorted(["README", *images, *texts]) == files(source)
    assert "{}" == call_git(["cat-file", "blob", "main:sub-1/anat/x.json"], cwd=source.url)
    assert "SHA256E-s500--" in call_git(["cat-file", "blob", f"main:{images[0]}"], cwd=source.url)
    assert {} == source.left_out


def test_only_a_change_is_imported(folder, capsys):
    """A folder as it was costs a look; each state has a commit that follows the one before."""
    first = take(folder)
    assert "importing" in capsys.readouterr().err
    assert first == take(folder)
    assert "" == capsys.readouterr().err
    (folder / "sub-1" / "anat" / "x.json").write_text('{"a": 1}')
    (folder / "sub-2" / "anat" / "x.json").unlink()
    second = take(folder)
    assert first.commit == call_git(["rev-parse", "main^"], cwd=second.url)
    changed = call_git_lines(["diff", "--name-only", first.commit, "main"], cwd=second.url)
    assert ["sub-1/anat/x.json", "sub-2/anat/x.json"] == changed
    # A touched file is looked at, and is the same.
    os.utime(folder / "sub-1" / "anat" / "x.nii.gz")
    assert second.commit == take(folder).commit


def test_a_clone_gets_content_from_the_folder(folder, tmp_path):
    source, clone = take(folder), tmp_path / "clone"
    call_git(["clone", "-q", source.url, str(clone)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=clone)
    connect_folder(place_of(folder, tmp_path / "imported"), clone)
    call_annex(["get", "-q", "sub-1"], cwd=clone)
    assert b"sub-1" * 100 == (clone / "sub-1" / "anat" / "x.nii.gz").read_bytes()


def test_a_changed_file_is_not_handed_out_as_the_old_one(folder, tmp_path):
    source, clone = take(folder), tmp_path / "clone"
    call_git(["clone", "-q", source.url, str(clone)], cwd=tmp_path)
    call_annex(["init", "-q"], cwd=clone)
    connect_folder(place_of(folder, tmp_path / "imported"), clone)
    (folder / "sub-1" / "anat" / "x.nii.gz").write_bytes(b"SUB-1" * 100)
    with pytest.raises(CommandError):
        call_annex(["get", "-q", "sub-1"], cwd=clone)
    assert not (clone / "sub-1" / "anat" / "x.nii.gz").exists()


def test_a_subject_that_changes_meanwhile_is_left_out_until_the_next_start(folder):
    stop = threading.Event()

    def write():
        with (folder / "sub-2" / "anat" / "x.nii.gz").open("ab") as file:
            while not stop.is_set():
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        source = take(folder)
    finally:
        stop.set()
        writer.join()
    assert {"sub-2": "changed while it was imported"} == source.left_out
    assert not any(path.startswith("sub-2") for path in files(source))
    assert "sub-1/anat/x.nii.gz" in files(source)
    after = take(folder)
    assert {} == after.left_out
    assert "sub-2/anat/x.nii.gz" in files(after)


def test_links_inside_a_subject_stay_links(folder):
    """One that leads out of it leaves the subject out, by name."""
    (folder / "sub-1" / "anat" / "y.nii.gz").symlink_to("x.nii.gz")
    (folder / "sub-2" / "anat" / "y.nii.gz").symlink_to("../../sub-1/anat/x.nii.gz")
    source = take(folder)
    link = call_git(["cat-file", "blob", "main:sub-1/anat/y.nii.gz"], cwd=source.url)
    assert "x.nii.gz" == link
    assert {"sub-2": "sub-2/anat/y.nii.gz is a link that leads out of sub-2"} == source.left_out


def test_odd_names(folder):
    """Blanks and brackets, and bytes that are no text."""
    odd = folder / os.fsdecode(b"sub-1/(a) b\n'\xe9.nii.gz")
    odd.write_bytes(b"odd")
    (folder / "(an) odd [one]").mkdir()
    os.mkfifo(folder / "(an) odd [one]" / "fifo")
    source = take(folder)
    listed = call_git_records(
        ["ls-tree", "-r", "-z", "--name-only", "main", "sub-1"], cwd=source.url
    )
    assert odd.relative_to(folder).as_posix() in listed
    assert ["(an) odd [one]"] == list(source.left_out)


def test_a_dataset_inside_the_folder_is_refused(folder):
    with pytest.raises(WorkflowFailure, match="kept inside of that folder"):
        open_source(str(folder), folder / "imported", key="datalad.input_repo")


def test_what_counts_as_a_plain_folder(folder, tmp_path):
    """Also a folder of a repository; not a repository, bare or not."""
    assert folder == plain_folder(str(folder)) == plain_folder(f"file://{folder}")
    outer = tmp_path / "outer"
    call_git(["init", "-q", str(outer)], cwd=tmp_path)
    (outer / "inner").mkdir()
    assert outer / "inner" == plain_folder(str(outer / "inner"))
    assert None is plain_folder(str(outer))
    call_git(["init", "-q", "--bare", "bare"], cwd=tmp_path)
    assert None is plain_folder(str(tmp_path / "bare"))
    assert None is plain_folder("ssh://host/folder")
    assert None is plain_folder(str(tmp_path / "missing"))


def test_a_look_sees_every_change(folder):
    before = look_into(folder)
    path = folder / "sub-1" / "anat" / "x.json"
    path.write_text("[]")
    os.utime(path, ns=(1, 1))
    after = look_into(folder)
    assert before["sub-1"].state != after["sub-1"].state
    assert before["sub-2"].state == after["sub-2"].state


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give up its rights")
def test_a_colleague_uses_the_dataset_that_another_one_made(folder):
    """Without a write, as long as the folder is unchanged."""
    source = take(folder)
    (folder.parent / "imported").chmod(0o555)
    code = (
        "import sys; from pathlib import Path; from bidsloom.datasets.imports import open_source; "
        "print(open_source(sys.argv[1], Path(sys.argv[2]), key='k').commit)"
    )
    rights = "-dac_override,-dac_read_search"
    command = ["setpriv", f"--inh-caps={rights}", f"--bounding-set={rights}", sys.executable]
    command += ["-c", code, str(folder), str(folder.parent / "imported")]
    env = {"PYTHONPATH": str(SCRIPTS)}
    assert source.commit == call(command, cwd=folder, env=env).decode().strip()
    (folder / "README").write_text("changed")
    with pytest.raises(CommandError, match="which you cannot write to"):
        call(command, cwd=folder, env=env)
