"""Every modality of BIDS: a job sees all files of its unit, recordings that are folders included."""

import json

import pytest
from bidsloom.base.runners import call
from bidsloom.config.study import Requirement, Selection
from bidsloom.datasets.annex import annexed_keys
from bidsloom.datasets.thin_clones import CLONE, lay_out_steps, remotes_of, share_remotes
from bidsloom.units.file_names import find_lack
from bidsloom.units.listing import list_units
from bidsloom.units.tree import inherited_files
from helpers.studies import git, make_workspace, run

# Modality -> the suffix of its recordings, files of the unit, and files at the root.
SHAPES = {
    "eeg": (
        "eeg",
        """
        eeg/{0}_task-rest_eeg.set
        eeg/{0}_task-rest_eeg.fdt
        eeg/{0}_task-rest_eeg.json
        eeg/{0}_task-rest_channels.tsv
        eeg/{0}_electrodes.tsv
        eeg/{0}_coordsystem.json
        """,
        "task-rest_events.json",
    ),
    "eeg of BrainVision": (
        "eeg",
        """
        eeg/{0}_task-sleep_eeg.vhdr
        eeg/{0}_task-sleep_eeg.vmrk
        eeg/{0}_task-sleep_eeg.eeg
        """,
        "task-sleep_eeg.json",
    ),
    "meg of CTF": (
        "meg",
        """
        meg/{0}_task-rest_meg.ds/BadChannels
        meg/{0}_task-rest_meg.ds/{0}_task-rest_meg.meg4
        meg/{0}_task-rest_meg.ds/{0}_task-rest_meg.res4
        meg/{0}_task-rest_meg.ds/hz.ds/hz.meg4
        meg/{0}_task-rest_meg.json
        meg/{0}_headshape.pos
        """,
        "",
    ),
    "meg of BTi": (
        "meg",
        """
        meg/{0}_task-bti_meg/c,rfDC
        meg/{0}_task-bti_meg/config
        meg/{0}_task-bti_meg/hs_file
        meg/{0}_task-bti_meg.json
        """,
        "",
    ),
    "meg of KIT": (
        "meg",
        """
        meg/{0}_task-kit_meg/{0}_markers.mrk
        meg/{0}_task-kit_meg/{0}_task-kit_meg.con
        meg/{0}_task-kit_meg.json
        """,
        "",
    ),
    "ieeg of MEF3": (
        "ieeg",
        """
        ieeg/{0}_task-rest_ieeg.mefd/channel.timd/channel-000000.segd/channel-000000.tdat
        ieeg/{0}_task-rest_ieeg.mefd/channel.timd/channel-000000.segd/channel-000000.tmet
        ieeg/{0}_task-rest_ieeg.json
        """,
        "",
    ),
    "micr as ome.zarr": (
        "SPIM",
        """
        micr/{0}_sample-A_SPIM.ome.zarr/.zattrs
        micr/{0}_sample-A_SPIM.ome.zarr/.zgroup
        micr/{0}_sample-A_SPIM.ome.zarr/0/.zarray
        micr/{0}_sample-A_SPIM.ome.zarr/0/0/0/0/0
        micr/{0}_sample-A_SPIM.json
        """,
        "samples.tsv samples.json",
    ),
    "micr": ("SEM", "micr/{0}_sample-A_SEM.png micr/{0}_sample-A_SEM.json", "samples.tsv"),
    "motion": (
        "motion",
        """
        motion/{0}_task-walk_tracksys-imu_motion.tsv
        motion/{0}_task-walk_tracksys-imu_motion.json
        motion/{0}_task-walk_tracksys-imu_channels.tsv
        """,
        "",
    ),
    "nirs": (
        "nirs",
        "nirs/{0}_task-tap_nirs.snirf nirs/{0}_task-tap_nirs.json nirs/{0}_optodes.tsv",
        "task-tap_events.json",
    ),
    "pet": (
        "pet",
        "pet/{0}_trc-FDG_pet.nii.gz pet/{0}_trc-FDG_pet.json pet/{0}_recording-manual_blood.tsv",
        "",
    ),
    "mrs": ("svs", "mrs/{0}_nuc-1H_svs.nii.gz mrs/{0}_nuc-1H_svs.json", ""),
    "asl": (
        "asl",
        """
        perf/{0}_asl.nii.gz
        perf/{0}_asl.json
        perf/{0}_aslcontext.tsv
        perf/{0}_m0scan.nii.gz
        perf/{0}_asllabeling.jpg
        """,
        "",
    ),
    "dwi": ("dwi", "dwi/{0}_dwi.nii.gz dwi/{0}_dwi.bval dwi/{0}_dwi.bvec", "dwi.json"),
    "beh": ("beh", "beh/{0}_task-quiz_beh.tsv beh/{0}_task-quiz_beh.json", ""),
}
DESCRIPTION = {"Name": "a modality", "BIDSVersion": "1.10.0"}


def make_dataset(root, shapes):
    """A dataset with one subject whose files are of some modalities; texts are in git."""
    git("init", "-q", root, cwd=root.parent)
    git("annex", "init", "-q", cwd=root)
    git("config", "annex.largefiles", "exclude=*.json and exclude=*.tsv", cwd=root)
    own = []
    (root / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    for _, files, beside in shapes:
        for name in beside.split():
            (root / name).write_text("{}" if name.endswith("json") else "sample_id\nsample-A\n")
        for name in files.format("sub-01").split():
            path = root / "sub-01" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = name.endswith((".json", ".tsv"))
            path.write_bytes(b"{}" if text else f"{name}\0".encode() * 20)
            own.append(f"sub-01/{name}")
    git("annex", "add", "-q", ".", cwd=root)
    git("commit", "-q", "-m", "data", cwd=root)
    return own


@pytest.mark.parametrize("modality", SHAPES)
def test_a_job_has_all_files_of_its_unit(tmp_path, modality):
    """As its clone lays them out; they are listed, counted and required as one recording."""
    suffix, _, beside = SHAPES[modality]
    root, source, clone = (tmp_path / name for name in ("bids", "input", "clone"))
    own = make_dataset(root, [SHAPES[modality]])
    commit = git("rev-parse", "HEAD", cwd=root)
    listed = list_units(root, commit, by_session=False, selection=Selection(), source="a dataset")
    (unit,) = listed.units
    assert () == listed.excluded
    assert (len(own), "sub-01") == (unit.files, unit.name)
    recording = (("suffix", (suffix,)),)
    assert None is find_lack(own, "01", [Requirement(recording)])
    assert find_lack(own, "01", [Requirement(recording, at_least=2)])

    paths = [unit.folder, *inherited_files(root, commit, unit)]
    git("clone", "-q", "--no-checkout", root, source, cwd=tmp_path)
    git("annex", "init", "-q", cwd=source)
    share_remotes(source)
    own_remotes = ["--origin", "study", *remotes_of(source)]
    call([*CLONE, *own_remotes, str(source), str(clone)], cwd=tmp_path)
    keys = annexed_keys(source, commit, paths)
    for step in lay_out_steps("structure", source, clone, commit, paths=paths, keys=keys):
        call(step.argv, cwd=step.cwd)
    run("git", "annex", "get", "-q", *paths, cwd=clone)
    for path in [*own, *beside.split()]:
        assert (root / path).read_bytes() == (clone / path).read_bytes()

    # pybids, which most apps use, finds the subject in it.
    from bids import BIDSLayout

    assert ["01"] == BIDSLayout(clone, validate=False).get_subjects()


def test_an_app_sees_every_modality(tmp_path):
    """All in one subject, by a complete run."""
    own = make_dataset(tmp_path / "bids", SHAPES.values())
    workspace = make_workspace(tmp_path / "study", tmp_path / "bids")
    (workspace.switches / "everything").touch()
    workspace.snakemake()
    report = git("show", "main:probe/sub-01/sub-01_desc-probe.json", cwd=workspace.store)
    seen = json.loads(report)["seen"]
    assert sorted(own) == [path for path in seen if path.startswith("sub-01/")]
    assert "samples.tsv" in seen
