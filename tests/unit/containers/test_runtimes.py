"""Container runtimes: how each is called, and how it fails."""

import shlex
from pathlib import Path

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config import read_study
from bidsloom.containers.runtimes import (
    Runtime,
    call_format,
    check_runtime,
    choose_runtime,
    environment_file,
    job_environment,
    start_failure,
    write_environment_file,
)
from helpers.old_config import changed


def study(runtime="apptainer", **container):
    """The old configuration with another container."""
    return read_study(changed("container", runtime=runtime, **container))


RUNTIMES = [runtime for runtime in Runtime if runtime is not Runtime.NONE]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_call_format_names_no_place(runtime):
    """A format fits every machine, and fills what DataLad fills."""
    made = study(
        runtime.value,
        executable="/opt/my app",
        freesurfer_license="/secret/license.txt",
        binds=["/data/atlas:/atlas"],
    )
    once = call_format(made).format(img="the-image", cmd="the-command")
    line = once.format(pwd="/somewhere")
    assert "the-image" in line
    assert "the-command ) && ( git checkout -q HEAD -- fmriprep/dataset_description.json;" in line
    for place in ("/secret", "/data/", "{"):
        assert place not in line.replace("${BIDSLOOM", "")


@pytest.mark.parametrize(
    ("runtime", "code", "words"),
    [
        (Runtime.APPTAINER, 255, "FATAL:   While checking: could not open image"),
        (Runtime.PODMAN, 125, "Error: payload does not match any of the supported image formats"),
        (Runtime.CHARLIECLOUD, 1, "ch-run[123]: error: can't stat: /no/image: No such file"),
        (Runtime.APPTAINER, 127, "/bin/sh: 1: apptainer: not found"),
    ],
)
def test_start_failure_is_told_from_the_apps(runtime, code, words):
    """The runtime's own last words, under its own code; never an app's."""
    assert words == start_failure(runtime, code, ["starting", words])
    assert start_failure(runtime, code, ["no brain found"]) is None
    assert start_failure(runtime, 2, [words]) is None
    assert start_failure(Runtime.NONE, code, [words]) is None


def test_variables_reach_apptainer_as_they_are():
    """Apptainer expands what it is given as a shell would; the app sees what was written."""
    config = changed("container", runtime="apptainer")
    config["hpc"] = {"environment": {"VAR": "a $HOME `id` \\ b"}}
    given = job_environment(read_study(config), Runtime.APPTAINER, Path("/scratch/job"))
    assert given["APPTAINERENV_VAR"] == "a \\$HOME \\`id\\` \\\\ b"
    assert given["VAR"] == "a $HOME `id` \\ b"
    assert given["APPTAINER_WORKDIR"] == "/scratch/job"


@pytest.mark.parametrize("runtime", ["apptainer", "docker", "podman", "charliecloud"])
def test_variables_that_would_break_the_job_reach_the_app_alone(runtime, tmp_path):
    """The job's own programs keep their PATH."""
    config = changed("container", runtime=runtime, executable="/app")
    config["hpc"] = {"environment": {"PATH": "/opt/app", "PYTHONPATH": "/x", "TOKEN": "s3cret"}}
    study = read_study(config)
    given = job_environment(study, Runtime(runtime), tmp_path)
    assert not {"PATH", "PYTHONPATH"} & set(given)
    if runtime == "apptainer":
        assert given["APPTAINERENV_PATH"] == "/opt/app"
        assert given["SINGULARITYENV_PYTHONPATH"] == "/x"
    elif runtime == "charliecloud":
        write_environment_file(study, Runtime(runtime), tmp_path)
        assert "PATH='/opt/app'" in environment_file(tmp_path).read_text().splitlines()
    else:
        assert "--env=PATH=/opt/app" in shlex.split(given["BIDSLOOM_OPTIONS"])


def test_auto_takes_what_is_there(tmp_path, monkeypatch):
    """An archive of docker save wants docker or podman; what a module brings is taken on trust."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("podman", "singularity"):
        (tmp_path / name).touch(mode=0o755)
    archive = tmp_path / "image.tar"
    archive.write_bytes(bytes(257) + b"ustar")
    assert choose_runtime(study("auto", image=str(archive))) is Runtime.PODMAN
    assert choose_runtime(study("auto")) is Runtime.SINGULARITY
    (tmp_path / "singularity").unlink()
    assert choose_runtime(study("auto")) is Runtime.APPTAINER, "as hpc.modules names it"
    assert choose_runtime(study("auto", call_fmt="ch-run {img} -- {cmd}")) is Runtime.CHARLIECLOUD


def test_variables_are_on_no_command_line(tmp_path):
    """Charliecloud reads them from a file that only the user can read."""
    config = changed("container", runtime="charliecloud", executable="/app")
    config["hpc"] = {"environment": {"KEY": "it's $HOME", "OTHER": "'quoted'"}}
    made = read_study(config)
    options = job_environment(made, Runtime.CHARLIECLOUD, tmp_path)["BIDSLOOM_OPTIONS"]
    assert "HOME" not in options and "quoted" not in options
    write_environment_file(made, Runtime.CHARLIECLOUD, tmp_path)
    file = environment_file(tmp_path)
    assert f"--set-env={file}" in options
    assert "KEY='it's $HOME'\nOTHER=''quoted''\n" in file.read_text()
    assert 0o600 == file.stat().st_mode & 0o777


def test_charliecloud_takes_no_value_of_several_lines():
    config = changed("container", runtime="charliecloud", executable="/app")
    config["hpc"] = {"environment": {"KEY": "a\nb"}}
    with pytest.raises(WorkflowFailure, match=r"hpc.environment.KEY has several lines"):
        check_runtime(read_study(config), here=True)
