"""What is kept of failed attempts, and for how long."""

import os
import time
from dataclasses import replace

import pytest
from bidsloom.records import evidence
from bidsloom.records.evidence import (
    keep_evidence,
    list_evidence,
    order,
    remove_evidence,
    units_with_evidence,
    walk,
)
from helpers.units import unit

UNIT = unit("sub-1")
MB = 2**20


@pytest.fixture
def study(study):
    """A study of one output folder, with the patterns that a config has by default."""
    container = replace(
        study.container,
        outputs=("out",),
        crash_files=("**/crash-*.txt",),
        evidence=("**/*.html", "**/*.log"),
        archive=False,
        session_folders=False,
    )
    return replace(study, container=container)


@pytest.fixture
def clone(tmp_path):
    """A job's clone, with the app's work folder beside it."""
    (tmp_path / "job" / "dataset" / "out").mkdir(parents=True)
    (tmp_path / "job" / "tmp").mkdir()
    return tmp_path / "job" / "dataset"


def put(clone, path: str, content: str | int = "x") -> None:
    """Write a file, of some text or of some size."""
    file = clone / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, int):
        with file.open("wb") as f:
            f.truncate(content)
    else:
        file.write_text(content)


def keep(study, clone, attempt: int = 1, **options) -> list[str]:
    return keep_evidence(study, UNIT, attempt, clone=clone, work=clone.with_name("tmp"), **options)


def test_crashes_come_first_then_pages(study):
    """So that they are what is kept where there is no room for all."""
    paths = ["out/a.log", "out/b.html", "out/sub-1/crash-1.txt", "out/image.nii.gz", "in/c.html"]
    assert ["out/sub-1/crash-1.txt", "out/b.html", "out/a.log"] == order(
        study.container, UNIT, paths
    )


def test_what_does_not_fit_is_named(study, clone, caplog):
    """The limit counts all attempts together; the newest is kept."""
    put(clone, "out/a.html", 30 * MB)
    put(clone, "out/b.html", 30 * MB)
    assert ["out/a.html"] == keep(study, clone)
    assert "1 file(s) are not kept as evidence" in caplog.text and "out/b.html" in caplog.text
    put(clone, "out/a.html", 10 * MB)
    (clone / "out" / "b.html").unlink()
    keep(study, clone, 2)
    assert [2, 1] == list(list_evidence(study, "sub-1"))
    put(clone, "out/a.html", 25 * MB)
    keep(study, clone, 3)
    assert [3, 2] == list(list_evidence(study, "sub-1"))
    assert "the evidence of attempt 1 is removed" in caplog.text


def test_nothing_outside_of_the_dataset_is_copied(study, clone, tmp_path):
    """By a link, by a linked folder, by a page; nothing waits for a fifo."""
    put(tmp_path, "secret/secret.log", "secret")
    (clone / "out" / "link.log").symlink_to(tmp_path / "secret" / "secret.log")
    (clone / "out" / "folder").symlink_to(tmp_path / "secret")
    os.mkfifo(clone / "out" / "pipe.log")
    put(clone, "config.txt")
    put(clone, "out/annexed", "content")
    (clone / "out" / "inside.log").symlink_to("annexed")
    put(
        clone,
        "out/a.html",
        '<img src="folder/secret.log"><img src="../config.txt"><img src="figure.svg">',
    )
    put(clone, "out/figure.svg")
    assert ["out/a.html", "out/figure.svg", "out/inside.log"] == keep(study, clone)


def test_files_that_were_there_before_are_none(study, clone):
    """A job of the group level finds the results of all units."""
    put(clone, "out/old.html")
    put(clone, "out/new.html", '<a href="old.html">')
    assert ["out/new.html"] == keep(study, clone, known={"out/old.html"})


def test_search_ends_in_time(study, clone):
    """A tree that is too large for it does not hold up the job."""
    put(clone, "out/a.html")
    assert [] == keep(study, clone, seconds=-1)
    assert [] == list(walk(clone, ["out"], time.monotonic() - 1))


def test_crash_files_of_the_work_folder_are_kept(study, clone):
    """Crash files alone: all else there is the app's own business."""
    put(clone.with_name("tmp"), "wf/crash-7.txt")
    put(clone.with_name("tmp"), "wf/report.html")
    assert ["tmp/wf/crash-7.txt"] == keep(study, clone)


def test_evidence_goes_with_the_unit(study, clone, monkeypatch):
    """That of other units stays; nothing left is no folder."""
    assert [] == keep(study, clone)
    assert set() == units_with_evidence(study)
    put(clone, "out/a.html")
    keep(study, clone)
    keep(study, clone)
    assert [1] == list(list_evidence(study, "sub-1"))
    remove_evidence(study, ["sub-2"])
    assert {"sub-1"} == units_with_evidence(study)
    remove_evidence(study, ["sub-1", "sub-2"])
    assert set() == units_with_evidence(study)


def test_names_that_are_no_text_are_kept(study, clone):
    """They are bytes to the file system."""
    put(clone, os.fsdecode(b"out/\xff.html"))
    (kept,) = keep(study, clone)
    assert b"out/\xff.html" == os.fsencode(kept)
    assert evidence.LIMIT == 50 * MB
