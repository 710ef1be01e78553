"""The example configurations, and the command lines they produce."""

import shlex

import pytest
import yaml
from bidsloom.config import read_study
from helpers.containers import need
from helpers.studies import JOB_SCRIPT, REPOSITORY, Workspace, make_input, run

EXAMPLES = REPOSITORY / "config" / "examples"

COMMANDS = {
    "fmriprep": """sourcedata/raw derivatives/fmriprep participant --participant-label 01
        --bids-filter-file code/bids_filter/sub-01.json
        --output-spaces MNI152NLin2009cAsym:res-2 fsaverage5 --nprocs 8 --omp-nthreads 4
        --mem-mb 24576 --work-dir /tmp/work --fs-license-file /tmp/freesurfer_license.txt
        --skip-bids-validation --notrack""",
    "mriqc": """sourcedata/raw derivatives/mriqc participant --participant-label 01 --session-id a
        --nprocs 4 --mem-gb 16 --work-dir /tmp/work --no-sub --notrack""",
    "qsiprep": """sourcedata/raw derivatives/qsiprep participant --participant-label 01
        --output-resolution 1.5 --nprocs 8 --omp-nthreads 4 --mem-mb 32768
        --work-dir /tmp/work --skip-bids-validation --notrack""",
    "freesurfer": """sourcedata/raw derivatives/freesurfer participant --participant_label 01
        --n_cpus 4 --license_file /tmp/freesurfer_license.txt --skip_bids_validator""",
    "xcp-d": """sourcedata/fmriprep derivatives/xcp-d participant --participant-label 01
        --mode linc --input-type fmriprep --nprocs 4 --omp-nthreads 2 --mem-mb 16384
        --work-dir /tmp/work --fs-license-file /tmp/freesurfer_license.txt --notrack""",
    "fitlins": """sourcedata/raw derivatives/fitlins participant --participant-label 01
        --derivatives sourcedata/fmriprep --model sourcedata/raw/models/model-task_smdl.json
        --space MNI152NLin2009cAsym --n-cpus 2 --mem-gb 8 --work-dir /tmp/work""",
}


def test_every_example_is_tried():
    """No example stands there unseen."""
    assert sorted(COMMANDS) == sorted(path.stem for path in EXAMPLES.iterdir())


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """A subject with two sessions."""
    return make_input(tmp_path_factory.mktemp("in") / "bids", {"01": ["a", "b"]})


@pytest.mark.parametrize("name", COMMANDS)
def test_example_is_complete(name, tmp_path, sessions, images):
    """An example is valid as it stands; with paths that exist it prepares, and tells its command."""
    need("apptainer")
    config = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
    read_study(config)

    (tmp_path / "scratch").mkdir()
    (tmp_path / "templates").mkdir()
    (tmp_path / "license.txt").write_text("a licence")
    config["common"]["work_dir"] = "scratch"
    config["datalad"] |= {"input_repo": str(sessions), "output_repos": ["store"]}
    for further in config["datalad"].get("inputs", []):
        further["repo"] = str(sessions)
    config["datalad"].pop("shared_paths", None)
    container = config["container"]
    container["image"] = str(images.of("apptainer"))
    places = {"freesurfer_license": "license.txt", "templateflow_home": "templates"}
    container |= {key: path for key, path in places.items() if key in container}

    workspace = Workspace(tmp_path, config)
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    unit = ["--subject", "01", *(["--session", "a"] if name == "mriqc" else [])]
    told = run(
        *("python", JOB_SCRIPT, "--config", workspace.write_config(), *unit, "--dry-run"),
        cwd=tmp_path,
    )
    (line,) = [line for line in told.stdout.splitlines() if "containers-run" in line]
    assert COMMANDS[name].split() == shlex.split(line.rstrip(")"))[-len(COMMANDS[name].split()) :]
