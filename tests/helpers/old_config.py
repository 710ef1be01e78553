"""The configuration that unit tests start from."""

from __future__ import annotations

# What users of the system before this one have; it must go on working.
OLD = {
    "common": {"work_dir": "/tmp/bids_work"},
    "datalad": {
        "input_repo": "https://github.com/lab/bids.git",
        "output_repos": ["https://github.com/lab/results.git"],
        "clone_method": "clone",
        "lock_file": "/tmp/datalad.lock",
    },
    "hpc": {
        "partition": "compute",
        "time": "24:00:00",
        "mem": "32G",
        "cpus": 8,
        "modules": ["datalad", "apptainer"],
        "environment": {"VAR": "value"},
    },
    "container": {
        "name": "fmriprep",
        "image": "/containers/fmriprep.sif",
        "outputs": ["fmriprep"],
        "bids_args": {"analysis_level": "participant", "n_cpus": 8},
    },
}


def changed(section, **values):
    """The old configuration with a section's keys changed."""
    return {**OLD, section: {**OLD[section], **values}}
