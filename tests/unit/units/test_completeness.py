"""Whether a result is complete: patterns, input files, and the built-in sets on real file lists."""

import dataclasses

import pytest
from bidsloom.config import read_study
from bidsloom.units.completeness import Verdict, is_accepted, judge, select
from bidsloom.units.unit import Unit


def container(name="app", *, subjects=None, **keys):
    """The container section of a study with these keys."""
    keys = {"name": name, "image": "/image.sif", "outputs": ["out"], **keys}
    datalad = {"input_repo": "/in", "output_repos": ["/out.git"]}
    return read_study({"datalad": datalad, "container": keys, "subjects": subjects or {}}).container


def unit(name):
    subject, _, session = name.removeprefix("sub-").partition("_ses-")
    return Unit(name, subject, session or None, "tree", "inherited", 1, 1)


def lines(text, folder=""):
    """The paths in a text, one a line, below a folder."""
    return [f"{folder}{line.strip()}" for line in text.splitlines() if line.strip()]


def missing(name="sub-01", *, written, read=(), **keys):
    """What a unit's result lacks, of files below the folder `out`."""
    written = [f"out/{path}" for path in written]
    return list(judge(container(**keys), unit(name), written=written, read=read).missing)


def without(paths, part):
    """The paths that do not hold a text; at least one does."""
    left = [path for path in paths if part not in path]
    assert len(left) < len(paths)
    return left


# --- patterns -------------------------------------------------------------------


def test_without_expectations_every_result_is_complete():
    assert Verdict() == judge(container(), unit("sub-01"), written=["out/a"], read=[])
    assert Verdict().is_complete


def test_what_is_missing_is_named_by_its_pattern():
    expects = ["sub-{subject}.html", {"pattern": "sub-{subject}/**/*.json", "min": 2}]
    assert [
        "no file sub-{subject}.html",
        "1 of 2 files sub-{subject}/**/*.json",
    ] == missing(expects=expects, written=["sub-01/a/b.json", "sub-02.html"])
    assert [] == missing(expects=expects, written=["sub-01/a.json", "sub-01/b.json", "sub-01.html"])


def test_a_longer_label_is_another_subject():
    assert ["no file sub-{subject}_*"] == missing(
        "sub-1", expects=["sub-{subject}_*"], written=["sub-10_x", "sub-11_x"]
    )


def test_a_pattern_may_name_another_output():
    """By its path; all else is relative to the app's output folder."""
    two = container(outputs=["out", "sourcedata/fs"], expects=["sourcedata/fs/sub-{subject}/done"])
    done = {"written": ["sourcedata/fs/sub-01/done"], "read": []}
    assert judge(two, unit("sub-01"), **done).is_complete
    assert not judge(two, unit("sub-02"), **done).is_complete


def test_a_session_has_an_output_folder_of_its_own():
    expects = ["sub-{subject}/ses-{session}/x"]
    by_session = {"processing_level": "session"}
    own = container(expects=expects, subjects=by_session)
    shared = container(expects=expects, subjects=by_session, session_folders=False)
    pre, paths = unit("sub-01_ses-pre"), ["out/sub-01/ses-pre/x"]
    assert not judge(own, pre, written=paths, read=[]).is_complete
    assert judge(own, pre, written=["out/ses-pre/sub-01/ses-pre/x"], read=[]).is_complete
    assert judge(shared, pre, written=paths, read=[]).is_complete


def test_an_archive_is_judged_by_what_goes_into_it():
    packed = container(archive=True, expects=["sub-{subject}.html"])
    assert judge(packed, unit("sub-01"), written=["out/sub-01/sub-01.html"], read=[]).is_complete


@pytest.mark.parametrize(
    "pattern",
    [
        "sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}_T1w.json",
        "sub-{subject}/ses-{session}/anat/sub-{subject}_ses-{session}*_T1w.json",
        "ses-{session}/sub-{subject}/anat/sub-{subject}_T1w.json",
        "sub-{subject}/{session}/anat/sub-{subject}_T1w.json",
    ],
)
def test_without_sessions_what_names_one_vanishes(pattern):
    here = "sub-01/anat/sub-01_T1w"
    assert [] == missing(expects=[pattern], written=[f"{here}.json"], read=[f"{here}.nii.gz"])


def test_a_subject_with_sessions_is_complete_if_each_session_is():
    read = [f"sub-01/ses-{s}/anat/sub-01_ses-{s}_T1w.nii.gz" for s in ("a", "b")]
    pattern = "sub-{subject}/ses-{session}/x"
    both = ["sub-01/ses-a/x", "sub-01/ses-b/x"]
    assert [] == missing(expects=[pattern], written=both, read=read)
    assert [f"no file {pattern} for ses-b"] == missing(
        expects=[pattern], written=both[:1], read=read
    )


# --- crashes ----------------------------------------------------------------------


def test_a_crash_of_nipype_is_seen_without_configuration():
    """In any output, at any depth; a report about crashes is none."""
    crash = "crash-20250101-120000-me-node-5f.txt"
    written = [f"out/sub-01/log/2025/{crash}", "sourcedata/fs/crash-1.pklz", "out/crash.html"]
    two = container(outputs=["out", "sourcedata/fs"])
    verdict = judge(two, unit("sub-01"), written=written, read=[])
    assert (f"out/sub-01/log/2025/{crash}", "sourcedata/fs/crash-1.pklz") == verdict.crashed
    assert not verdict.is_complete


def test_crash_files_are_the_users_choice():
    none = container(crash_files=[])
    assert judge(none, unit("sub-01"), written=["out/crash-1.txt"], read=[]).is_complete
    own = container(crash_files=["**/*.err"])
    assert ("out/logs/a.err",) == judge(
        own, unit("sub-01"), written=["out/crash-1.txt", "out/logs/a.err"], read=[]
    ).crashed


def test_the_group_level_is_judged_by_crashes_alone():
    everything = container(expects=["sub-{subject}.html"])
    group = dataclasses.replace(unit("group"), name="group")
    assert judge(everything, group, written=["out/group.tsv"], read=[]).is_complete


def test_evidence_holds_crash_files_pages_and_logs():
    kept = container().evidence
    paths = ["out/sub-01.html", "out/logs/a.toml", "out/x.log", "out/sub-01/crash-1.txt"]
    assert tuple(sorted(paths)) == select(
        kept, container(), unit("sub-01"), [*paths, "out/sub-01/anat/a.nii.gz", "out/a.toml"]
    )


# --- for each input file -----------------------------------------------------------

BOLD = {"pattern": "sub-{subject}/**/*_desc-preproc_bold.nii.gz", "for_each": {"suffix": "bold"}}


def test_each_run_needs_its_own_file():
    """Numbers are compared as numbers; a run without a number is none of the others."""
    read = lines(
        """
        sub-01/func/sub-01_task-rest_bold.nii.gz
        sub-01/func/sub-01_task-rest_bold.json
        sub-01/func/sub-01_task-n_run-01_bold.nii.gz
        sub-01/func/sub-01_task-n_run-02_bold.nii.gz
        sub-01/func/sub-01_task-n_run-02_sbref.nii.gz
        sub-01/anat/sub-01_T1w.nii.gz
        """
    )
    written = lines(
        """
        sub-01/func/sub-01_task-rest_space-MNI_desc-preproc_bold.nii.gz
        sub-01/func/sub-01_task-n_run-1_desc-preproc_bold.nii.gz
        sub-01/func/sub-01_task-n_run-1_space-MNI_desc-preproc_bold.nii.gz
        sub-01/func/sub-01_task-n_run-2_desc-preproc_bold.nii.gz
        """
    )
    assert [] == missing(expects=[BOLD], written=written, read=read)
    assert [f"no file {BOLD['pattern']} for {read[3]}"] == missing(
        expects=[BOLD], written=written[:3], read=read
    )
    assert [f"no file {BOLD['pattern']} for {read[0]}"] == missing(
        expects=[BOLD], written=written[1:], read=read
    )
    two = {**BOLD, "min": 2}
    assert [
        f"1 of 2 files {BOLD['pattern']} for {read[3]}",
        f"1 of 2 files {BOLD['pattern']} for {read[0]}",
    ] == missing(expects=[two], written=written, read=read)


def test_a_recording_of_another_session_is_another_one():
    read = [f"sub-01/ses-{s}/func/sub-01_ses-{s}_task-a_bold.nii.gz" for s in "12"]
    written = ["sub-01/ses-1/func/sub-01_ses-1_task-a_desc-preproc_bold.nii.gz"]
    assert [f"no file {BOLD['pattern']} for {read[1]}"] == missing(
        expects=[BOLD], written=written, read=read
    )


def test_several_echoes_become_one_file():
    """Named once if it is missing; without `drop` each echo needs its own."""
    read = [f"sub-01/func/sub-01_task-a_echo-{n}_bold.nii.gz" for n in (1, 2, 3)]
    written = ["sub-01/func/sub-01_task-a_desc-preproc_bold.nii.gz"]
    joined = {**BOLD, "drop": ["echo"]}
    assert [] == missing(expects=[joined], written=written, read=read)
    assert [f"no file {BOLD['pattern']} for {read[0]}"] == missing(
        expects=[joined], written=[], read=read
    )
    assert 3 == len(missing(expects=[BOLD], written=written, read=read))


def test_values_and_absent_entities_choose_the_input_files():
    read = [
        f"sub-01/func/sub-01_task-{task}{part}_bold.nii.gz"
        for task in "abc"
        for part in ("", "_part-mag", "_part-phase")
    ]
    chosen = {"suffix": "bold", "task": ["a", "b"], "part": None}
    lacks = missing(expects=[{**BOLD, "for_each": chosen}], written=[], read=read)
    assert [f"no file {BOLD['pattern']} for {path}" for path in (read[0], read[3])] == lacks


def test_what_the_bids_filter_leaves_out_is_not_expected():
    read = [f"sub-01/func/sub-01_task-{task}_bold.nii.gz" for task in ("rest", "other")]
    wanted = {"bold": {"datatype": "func", "suffix": "bold", "task": ["rest"]}}
    lacks = missing(expects=[BOLD], written=[], read=read, bids_filter=wanted)
    assert [f"no file {BOLD['pattern']} for {read[0]}"] == lacks
    # A query about other images, or one for any value, leaves out none of these.
    for query in ({"t1w": {"session": "pre"}}, {"bold": {"task": "*"}}, {"bold": {"run": None}}):
        assert 2 == len(missing(expects=[BOLD], written=[], read=read, bids_filter=query))


def test_accepted_units_are_named_or_their_subjects_are():
    config = {
        "datalad": {"input_repo": "/in", "output_repos": ["/out.git"]},
        "container": {"name": "app", "image": "/image.sif"},
        "subjects": {"accept": ["001", "sub-002_ses-pre"]},
    }
    selection = read_study(config).selection
    accepted = ["sub-001", "sub-001_ses-post", "sub-002_ses-pre"]
    others = ["sub-002", "sub-002_ses-post", "sub-0011"]
    assert accepted == [n for n in accepted + others if is_accepted(selection, n)]


# --- the built-in sets ----------------------------------------------------------------

FMRIPREP = lines(
    """
    dataset_description.json
    logs/CITATION.md
    sub-01.html
    sub-01/figures/sub-01_desc-about_T1w.html
    sub-01/anat/sub-01_desc-brain_mask.nii.gz
    sub-01/anat/sub-01_desc-preproc_T1w.json
    sub-01/anat/sub-01_desc-preproc_T1w.nii.gz
    sub-01/anat/sub-01_from-T1w_to-MNI152NLin2009cAsym_mode-image_xfm.h5
    sub-01/func/sub-01_task-rest_desc-confounds_timeseries.tsv
    sub-01/func/sub-01_task-rest_desc-hmc_boldref.nii.gz
    sub-01/func/sub-01_task-rest_hemi-L_space-fsaverage5_bold.func.gii
    sub-01/func/sub-01_task-rest_hemi-R_space-fsaverage5_bold.func.gii
    sub-01/func/sub-01_task-n_run-01_desc-confounds_timeseries.tsv
    sub-01/func/sub-01_task-n_run-01_space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz
    sub-01/func/sub-01_task-n_run-02_desc-confounds_timeseries.tsv
    sub-01/func/sub-01_task-n_run-02_space-fsLR_den-91k_bold.dtseries.nii
    """
)
RAW = lines(
    """
    sub-01/anat/sub-01_T1w.nii.gz
    sub-01/anat/sub-01_T1w.json
    sub-01/func/sub-01_task-rest_echo-1_bold.nii.gz
    sub-01/func/sub-01_task-rest_echo-2_bold.nii.gz
    sub-01/func/sub-01_task-rest_echo-3_bold.nii.gz
    sub-01/func/sub-01_task-n_run-01_part-mag_bold.nii.gz
    sub-01/func/sub-01_task-n_run-01_part-phase_bold.nii.gz
    sub-01/func/sub-01_task-n_run-02_bold.nii.gz
    sub-01/func/sub-01_task-n_run-02_sbref.nii.gz
    """
)


def test_fmriprep_is_complete_whatever_its_spaces():
    assert [] == missing(expects="fmriprep", written=FMRIPREP, read=RAW)


@pytest.mark.parametrize(
    ("lost", "count"), [("run-02", 2), ("task-rest", 2), ("sub-01.html", 1), ("anat/", 1)]
)
def test_fmriprep_lacks_what_a_crash_would_lose(lost, count):
    written = without(FMRIPREP, lost)
    assert count == len(missing(expects="fmriprep", written=written, read=RAW))


def test_fmriprep_is_asked_only_for_what_its_flags_leave():
    anatomy = [path for path in FMRIPREP if "/func/" not in path]
    rest = [path for path in FMRIPREP if "task-n_" not in path]
    arguments = {"expects": "fmriprep", "read": RAW}
    assert 6 == len(missing(written=anatomy, **arguments))
    for flags in ({"anat-only": True}, {"level": "minimal"}, {"level": "resampling"}):
        assert [] == missing(written=anatomy, bids_args=flags, **arguments)
    assert 6 == len(missing(written=anatomy, bids_args={"level": "full"}, **arguments))
    assert [] == missing(written=rest, bids_args={"task-id": "rest"}, **arguments)
    assert [] == missing(written=rest, bids_filter={"bold": {"task": "rest"}}, **arguments)
    assert 4 == len(missing(written=rest, **arguments))


def test_fmriprep_with_many_sessions_and_pages():
    """A subject of six sessions has a page for its anatomy and one for each session."""
    sessions = ["a", "b"]
    read = [f"sub-01/ses-{s}/func/sub-01_ses-{s}_task-r_bold.nii.gz" for s in sessions]
    written = ["sub-01_anat.html", "sub-01/ses-a/anat/sub-01_ses-a_desc-preproc_T1w.nii.gz"]
    for s in sessions:
        stem = f"sub-01/ses-{s}/func/sub-01_ses-{s}_task-r"
        written += [f"{stem}_desc-confounds_timeseries.tsv", f"sub-01_ses-{s}_func.html"]
        written += [f"{stem}_space-T1w_desc-preproc_bold.nii.gz"]
    assert [] == missing(expects="fmriprep", written=written, read=read)
    lost = without(written, "ses-b_task")
    assert 2 == len(missing(expects="fmriprep", written=lost, read=read))


def test_fmriprep_of_one_session_in_its_own_folder():
    stem = "sub-01/ses-a/func/sub-01_ses-a_task-r"
    written = lines(
        f"""
        sub-01.html
        sub-01/ses-a/anat/sub-01_ses-a_desc-preproc_T1w.nii.gz
        {stem}_desc-confounds_timeseries.tsv
        {stem}_space-T1w_desc-preproc_bold.nii.gz
        """,
        "out/ses-a/",
    )
    app = container(expects="fmriprep", subjects={"processing_level": "session"})
    read = [f"{stem}_bold.nii.gz"]
    assert judge(app, unit("sub-01_ses-a"), written=written, read=read).is_complete
    assert not judge(app, unit("sub-01_ses-a"), written=written[:3], read=read).is_complete


MRIQC = lines(
    """
    dataset_description.json
    sub-01_ses-a_run-01_T1w.html
    sub-01_ses-a_T2w.html
    sub-01_ses-a_task-r_bold.html
    sub-01/figures/sub-01_ses-a_run-01_desc-background_T1w.svg
    sub-01/ses-a/anat/sub-01_ses-a_run-01_T1w.json
    sub-01/ses-a/anat/sub-01_ses-a_T2w.json
    sub-01/ses-a/func/sub-01_ses-a_task-r_bold.json
    sub-01/ses-a/func/sub-01_ses-a_task-r_timeseries.tsv
    """
)


def test_mriqc_has_metrics_and_a_page_for_each_image():
    read = lines(
        """
        sub-01/ses-a/anat/sub-01_ses-a_run-1_T1w.nii.gz
        sub-01/ses-a/anat/sub-01_ses-a_T2w.nii.gz
        sub-01/ses-a/func/sub-01_ses-a_task-r_echo-1_bold.nii.gz
        sub-01/ses-a/func/sub-01_ses-a_task-r_echo-2_bold.nii.gz
        """
    )
    session = {
        "expects": "mriqc",
        "read": read,
        "session_folders": False,
        "subjects": {"processing_level": "session"},
    }
    assert [] == missing("sub-01_ses-a", written=MRIQC, **session)
    for lost in ("a_T2w.html", "T1w.json", "bold.json", "bold.html"):
        assert 1 == len(missing("sub-01_ses-a", written=without(MRIQC, lost), **session))
    t1w_only = [path for path in MRIQC if "T1w" in path]
    flags = {"modalities": ["T1w"]}
    assert [] == missing("sub-01_ses-a", written=t1w_only, bids_args=flags, **session)


def test_qsiprep_joins_the_runs_of_a_session():
    read = [f"sub-01/ses-{s}/dwi/sub-01_ses-{s}_run-{r}_dwi.nii.gz" for s in "12" for r in "12"]
    written = ["sub-01.html"] + [
        f"sub-01/ses-{s}/dwi/sub-01_ses-{s}_space-ACPC_desc-preproc_dwi.{kind}"
        for s in "12"
        for kind in ("nii.gz", "bval", "bvec", "json")
    ]
    assert [] == missing(expects="qsiprep", written=written, read=read)
    lost = without(written, "ses-2")
    assert 3 == len(missing(expects="qsiprep", written=lost, read=read))
    assert [] == missing(
        expects="qsiprep", written=lost[:1], read=read, bids_args={"anat-only": True}
    )


@pytest.mark.parametrize(
    "page", ["sub-01.html", "sub-01/sub-01.html", "sub-01/ses-1/sub-01_x.html"]
)
def test_pages_may_lie_in_folders(page):
    """Pages beside figures are no report."""
    denoised = "sub-01/func/sub-01_task-r_space-MNI_desc-denoised_bold.nii.gz"
    written = ["sub-01/func/sub-01_task-r_motion.tsv", denoised, "sub-01/figures/sub-01_about.html"]
    assert [] == missing(expects="xcp-d", written=[*written, page])
    assert 1 == len(missing(expects="XCP-D", written=written))
    method = "derivatives/qsirecon-NODDI"
    written = [f"{method}/sub-01/dwi/sub-01_space-T1w_model-noddi_config.pickle.gz"]
    assert [] == missing(expects="qsirecon", written=[*written, f"{method}/{page}"])
    assert 1 == len(missing(expects="qsirecon", written=written))
    assert 1 == len(missing(expects="qsirecon", written=[f"{method}/{page}"]))


def test_freesurfer_is_done_or_says_that_it_failed():
    parts = ["scripts/recon-all.done", "surf/lh.pial", "surf/rh.pial.T1", "mri/aparc+aseg.mgz"]
    parts += ["stats/aseg.stats", "scripts/recon-all.log"]
    for folder in ("sub-01", "sub-01_ses-pre"):
        written = [f"{folder}/{part}" for part in parts]
        assert [] == missing(expects="freesurfer", written=written)
        assert 1 == len(missing(expects="freesurfer", written=without(written, "rh.pial")))
    app = container(expects="freesurfer")
    failed = ["out/sub-01/scripts/IsRunning.lh+rh", "out/sub-01/scripts/recon-all.error"]
    verdict = judge(app, unit("sub-01"), written=failed, read=[])
    assert tuple(failed) == verdict.crashed
    stages = {"stages": ["autorecon1"]}
    assert [] == missing(expects="freesurfer", written=written[:1], bids_args=stages)


def test_fitlins_with_one_broken_run_is_incomplete():
    """A task that the model leaves out is not missed."""
    read = [f"sub-01/func/sub-01_task-n_run-{r}_bold.nii.gz" for r in "12"]
    read += ["sub-01/func/sub-01_task-rest_bold.nii.gz"]
    written = []
    for r in "12":
        stem = f"node-run/sub-01/sub-01_task-n_run-{r}"
        written += [f"{stem}_design.tsv", f"{stem}_contrast-c_stat-effect_statmap.nii.gz"]
        written += [f"{stem}_stat-rSquare_statmap.nii.gz"]
    written += ["node-subject/sub-01/sub-01_contrast-c_stat-z_statmap.nii.gz"]
    assert [] == missing(expects="fitlins", written=written, read=read)
    broken = without(written, "run-2")
    lacks = missing(expects="fitlins", written=broken, read=read)
    assert 2 == len(lacks)
    assert all(lack.endswith(f" for {read[1]}") for lack in lacks)
    assert 1 == len(missing(expects="fitlins", written=["dataset_description.json"], read=read))
