"""What a unit takes of a further input."""

from dataclasses import replace
from pathlib import Path

import pytest
from bidsloom.config.study import FurtherInput
from bidsloom.units.further_inputs import InputEntry, choose_entries, take_whole
from bidsloom.units.unit import Unit

FOLDER, FILE = "040000", "100644"


def entries(*paths: str) -> list[InputEntry]:
    """Entries; those with a final slash are folders."""
    return [
        InputEntry(p.rstrip("/"), FOLDER if p.endswith("/") else FILE, f"id of {p}") for p in paths
    ]


def unit(name: str) -> Unit:
    subject, _, session = name.removeprefix("sub-").partition("_ses-")
    return Unit(name, subject, session or None, "tree", "inherited", 1, 1)


ROOT = entries("dataset_description.json", "desc-aseg_dseg.tsv", "sub-1/", "sub-1.html", "sub-11/")
FREESURFER = entries("fsaverage/lh.white", "sub-1/", "sub-1_ses-a/", "sub-1_ses-b/", "sub-2/")


def taken(name: str, root: list[InputEntry], *inside: str) -> tuple[list[str], list[str]]:
    """Paths that a unit takes, and those of its own folders among them."""
    found = choose_entries(unit(name), root=root, inside=entries(*inside))
    return found.paths, [entry.path for entry in found.own]


def test_subject_takes_its_folder_and_the_files_at_the_root():
    """A longer label is another subject."""
    paths = ["dataset_description.json", "desc-aseg_dseg.tsv", "sub-1", "sub-1.html"]
    assert (paths, ["sub-1"]) == taken("sub-1", ROOT)


def test_absent_subject_has_no_folder_of_its_own():
    assert [] == taken("sub-3", ROOT)[1]


@pytest.mark.parametrize(
    ("name", "own"),
    [("sub-1", ["sub-1", "sub-1_ses-a", "sub-1_ses-b"]), ("sub-1_ses-b", ["sub-1", "sub-1_ses-b"])],
)
def test_freesurfer_folders_of_sessions(name, own):
    """FreeSurfer's subjects may be sessions; what is shared comes along."""
    assert (["fsaverage/lh.white", *own], own) == taken(name, FREESURFER)


def test_session_takes_what_lies_beside_the_sessions():
    inside = ("sub-1/anat/", "sub-1/ses-a/", "sub-1/ses-b/", "sub-1/sub-1_T1w.json")
    paths, own = taken("sub-1_ses-b", ROOT, *inside)
    assert ["sub-1/ses-b"] == own
    assert {"sub-1/anat", "sub-1/ses-b", "sub-1/sub-1_T1w.json"} <= set(paths)
    assert "sub-1/ses-a" not in paths
    assert [] == taken("sub-1_ses-c", ROOT, *inside)[1]


def test_digest_feels_the_unit_and_not_the_dataset():
    """Another subject's folder, or the dataset's description, changes no unit."""

    def mark(root):
        return choose_entries(unit("sub-1"), root=root, inside=[]).digest()

    more = [*entries("sub-5/", "participants.tsv"), *ROOT]
    assert mark(ROOT) == mark(more)
    changed = [InputEntry(e.path, e.mode, "other") if e.path == "sub-1" else e for e in ROOT]
    assert mark(ROOT) != mark(changed)
    changed = [InputEntry(e.path, e.mode, "other") if "desc" in e.path[:4] else e for e in ROOT]
    assert mark(ROOT) != mark(changed)


# --- one dataset a subject ---------------------------------------------------------


def whole(name: str, *paths: str) -> tuple[list[str], list[str]]:
    found = take_whole(entries(*paths), unit(name))
    return found.paths, [entry.path for entry in found.own]


def test_a_dataset_that_is_its_subjects_folder_is_taken_whole():
    """Not what git and DataLad keep there; without any folder, the unit is absent."""
    root = (".datalad/", ".gitattributes", "anat/", "log.txt")
    assert (["anat", "log.txt"], ["anat"]) == whole("sub-1", *root)
    assert [] == whole("sub-1", "log.txt")[1]


def test_a_session_takes_its_own_of_such_a_dataset():
    root = ("anat/", "ses-a/", "ses-b/")
    assert (["anat", "ses-a"], ["ses-a"]) == whole("sub-1_ses-a", *root)
    assert [] == whole("sub-1_ses-c", *root)[1]
    assert ["anat"] == whole("sub-1_ses-a", "anat/")[1]


def test_a_pattern_is_one_dataset_for_each_subject():
    pattern = FurtherInput("prep", "/d/sub-{subject}", "", Path("/c"), (), True, ())
    one = pattern.of("01")
    assert ("prep/sub-01", "/d/sub-01", Path("/c/sub-01")) == (one.path, one.url, one.clone)
    plain = replace(pattern, url="/d")
    assert plain is plain.of("01")
