"""What units see outside of their folders."""

import json

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config.study import Selection
from bidsloom.units.listing import list_units
from bidsloom.units.named_files import Named, find_named, names_stimuli, recording
from helpers.studies import git, write_bids

NOISE = "sub-emptyroom/ses-1/meg/sub-emptyroom_ses-1_task-noise"
FIELDMAP = "sub-01/ses-pre/fmap/sub-01_ses-pre_dir-AP_epi"
BOLD = "ses-post/func/sub-01_ses-post_task-rest_bold.nii.gz"


def write(root, path, content=""):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(content)


def commit_all(root):
    git("add", "-A", cwd=root)
    git("commit", "-q", "--allow-empty", "-m", "x", cwd=root)
    return git("rev-parse", "HEAD", cwd=root)


@pytest.fixture
def dataset(tmp_path):
    """Two subjects with sessions, in plain git."""
    git("init", "-q", cwd=tmp_path)
    write_bids(tmp_path, {"01": ["pre", "post"], "02": ["pre"]})
    return tmp_path


def units_of(root, *, by_session=False, shared=(), **selection):
    units = list_units(
        root,
        commit_all(root),
        by_session=by_session,
        selection=Selection(**selection),
        source="ds",
        shared=shared,
    )
    return {unit.name: unit for unit in units.units}


def changed(before, after):
    return [name for name in before if before[name].inherited != after[name].inherited]


def named(root, unit, **options):
    return find_named(root, git("rev-parse", "HEAD", cwd=root), unit, **options)


def test_units_that_name_nothing_are_as_they_were(dataset):
    """Results of earlier versions stay valid."""
    before = units_of(dataset)
    write(dataset, "code/run.py")
    write(dataset, "stimuli/a.wav")
    write(dataset, f"{NOISE}_meg.fif")
    assert [] == changed(before, units_of(dataset))
    assert Named((), unread=False) == named(dataset, before["sub-01"])


def test_shared_paths_are_all_units(dataset):
    write(dataset, "code/run.py")
    before = units_of(dataset, shared=["code"])
    write(dataset, "code/run.py", "2")
    assert ["sub-01", "sub-02"] == changed(before, units_of(dataset, shared=["code"]))
    with pytest.raises(WorkflowFailure, match=r"codes of datalad\.shared_paths is"):
        units_of(dataset, shared=["codes"])


def test_stimuli_are_of_those_whose_events_name_them(dataset):
    write(dataset, "stimuli/a.wav")
    events = "sub-01/ses-pre/func/sub-01_ses-pre_task-x_events.tsv"
    write(dataset, events, "onset\tduration\tstim_file\n1\t1\ta.wav\n")
    before = units_of(dataset, by_session=True)
    assert ("stimuli",) == named(dataset, before["sub-01_ses-pre"]).paths
    assert () == named(dataset, before["sub-01_ses-post"]).paths
    write(dataset, "stimuli/a.wav", "other")
    assert ["sub-01_ses-pre"] == changed(before, units_of(dataset, by_session=True))
    assert ["sub-01"] == [n for n, u in units_of(dataset).items() if named(dataset, u).paths]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("onset\tstim_file\n1\tn/a\n", False),
        ("onset\tduration\n1\t2\n", False),
        ("onset\tstim_file\n1\n", False),
        ("", False),
        ("onset\tstim_file\r\n1\tn/a\r\n2\ta.wav\r\n", True),
    ],
)
def test_a_column_of_missing_values_names_no_stimulus(table, expected):
    assert expected is names_stimuli(table.encode())


@pytest.mark.parametrize("name", [f"bids::{NOISE}_meg.ds", f"/{NOISE}_meg.ds", f"{NOISE}_meg.ds"])
def test_an_empty_room_recording_comes_with_its_sidecars(dataset, name):
    for end in ("_meg.ds/a.meg4", "_meg.ds/b.res4", "_meg.json", "_channels.tsv"):
        write(dataset, f"{NOISE}{end}", end)
    write(dataset, f"{NOISE[:-5]}other_meg.fif")
    sidecar = json.dumps({"AssociatedEmptyRoom": name})
    write(dataset, "sub-01/ses-pre/meg/sub-01_ses-pre_task-x_meg.json", sidecar)
    units = units_of(dataset)
    assert ["sub-01", "sub-02"] == list(units), "the empty room is no subject"
    seen = [f"{NOISE}_channels.tsv", f"{NOISE}_meg.ds", f"{NOISE}_meg.json"]
    assert seen == sorted(named(dataset, units["sub-01"]).paths)
    write(dataset, f"{NOISE}_meg.ds/a.meg4", "another room")
    assert ["sub-01"] == changed(units, units_of(dataset))
    assert ["sub-emptyroom"] == list(units_of(dataset, include=("emptyroom",)))


@pytest.mark.parametrize("name", [BOLD, f"bids::sub-01/{BOLD}"])
def test_sessions_see_what_is_intended_for_them(dataset, name):
    """In both directions, and only where sessions are units."""
    write(dataset, f"sub-01/{BOLD}", "bold")
    write(dataset, f"{FIELDMAP}.json", json.dumps({"IntendedFor": [name, "missing.nii.gz"]}))
    write(dataset, f"{FIELDMAP}.nii.gz", "field")
    units = units_of(dataset, by_session=True)
    assert (f"sub-01/{BOLD}",) == named(dataset, units["sub-01_ses-pre"]).paths
    post = named(dataset, units["sub-01_ses-post"]).paths
    assert (f"{FIELDMAP}.json", f"{FIELDMAP}.nii.gz") == post
    write(dataset, f"{FIELDMAP}.nii.gz", "another field")
    assert ["sub-01_ses-post"] == changed(units, units_of(dataset, by_session=True))
    assert () == named(dataset, units_of(dataset)["sub-01"]).paths


def test_odd_sidecars_name_nothing(dataset):
    """Neither broken ones, nor those that lead elsewhere."""
    for n, text in enumerate(('{"AssociatedEmptyRoom": {}}', "[1]", "{", '"x"', "\x00")):
        write(dataset, f"sub-02/ses-pre/meg/sub-02_ses-pre_run-{n}_meg.json", text)
    elsewhere = {"AssociatedEmptyRoom": ["../../etc/passwd", "/etc/passwd", "bids:other:x", 1]}
    write(dataset, "sub-02/ses-pre/meg/sub-02_ses-pre_meg.json", json.dumps(elsewhere))
    assert () == named(dataset, units_of(dataset)["sub-02"]).paths


def test_annexed_files_are_read_once_they_are_here(dataset, tmp_path):
    """Nothing is fetched for the list of units; the job looks at its own work tree."""
    write(dataset, "stimuli/a.wav")
    events = dataset / "sub-02" / "ses-pre" / "func" / "sub-02_ses-pre_task-x_events.tsv"
    events.parent.mkdir(parents=True)
    key = "MD5E-s30--0123456789abcdef0123456789abcdef.tsv"
    events.symlink_to(f"../../../.git/annex/objects/AA/BB/{key}/{key}")
    unit = units_of(dataset)["sub-02"]
    assert Named((), unread=True) == named(dataset, unit)
    disk = tmp_path / "disk"
    write(disk, events.relative_to(dataset), "onset\tstim_file\n1\ta.wav\n")
    assert ("stimuli",) == named(dataset, unit, disk=disk).paths


def test_a_recording_is_all_files_of_one_name():
    files = dict.fromkeys(["a/x_run-1_meg.fif", "a/x_run-1_channels.tsv", "a/x_run-10_meg.fif"], "")
    assert ["a/x_run-1_meg.fif", "a/x_run-1_channels.tsv"] == [
        *recording("a/x_run-1_meg.fif", files)
    ]
    assert {} == recording("a/x_run-2_meg.fif", files)
