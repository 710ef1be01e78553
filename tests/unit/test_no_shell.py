"""No text of a configuration becomes a shell's text, or an option of a program."""

import copy
import json
import shlex
import subprocess
from collections.abc import Iterator

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from bidsloom.config.schema import load_schema
from bidsloom.containers.runtimes import Runtime, call_format, job_environment
from bidsloom.scheduling.job_scripts import sbatch_options, write_job_scripts
from bidsloom.scheduling.requests import ProfileDefaults
from bidsloom.scheduling.slurm import slurm_extra

GOOD = {
    "study": "s",
    "datalad": {"input_repo": "in", "output_repos": ["out.git"]},
    "container": {"name": "app", "image": "x.sif", "runtime": "docker"},
}
# `@` is a file that must not appear.
ATTACKS = ["$(touch @)", "`touch @`", "a; touch @ ;", "a && touch @", "a\ntouch @\n", "| touch @"]
ATTACKS += ["' ; touch @ ; '", '" ; touch @ ; "', "--x=$(touch @)", "-x", "{@}", "{{@}}", "a{b"]
ATTACKS += ["--constraint='$(touch @)'", "a:/$(touch @)", "/$(touch @)"]
# By its nature a shell's text, which the user writes as one.
SHELL_TEXT = ("container.call_fmt",)


def text_keys(schema: dict, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Where the schema takes a text."""
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if "string" in kinds and "enum" not in schema:
        yield path
    for name, sub in schema.get("properties", {}).items():
        yield from text_keys(sub, *path, name)
    if "items" in schema:
        yield from text_keys(schema["items"], *path, 0)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from text_keys(schema["additionalProperties"], *path, "name")


def put(config: dict, path: tuple[str | int, ...], value: str) -> dict:
    """The configuration with a text at a place; lists get what else an entry needs."""
    config = copy.deepcopy(config)
    here = config
    for key, following in zip(path, [*path[1:], None], strict=True):
        new = value if following is None else ([] if isinstance(following, int) else {})
        if isinstance(key, int):
            here.append(new)
        elif following is None or type(here.get(key)) is not type(new):
            here[key] = new
        here = here[key]
    for entry in config["datalad"].get("inputs", []):
        entry.update({"repo": "other", "path": "sourcedata/other"} | entry)
    return config


KEYS = sorted({".".join(map(str, path)): path for path in text_keys(load_schema())}.items())


def test_the_schema_has_many_text_keys():
    """The test below looks at all of them."""
    names = dict(KEYS)
    assert len(names) > 40
    assert {"study", "hpc.sbatch", "hpc.modules.0", "container.bids_args.name"} <= set(names)


@pytest.mark.parametrize(("name", "path"), KEYS, ids=[name for name, _ in KEYS])
def test_no_text_is_run(name, path, tmp_path):
    """What is accepted passes job scripts, the plugin's shell and a runtime's as plain text."""
    if name in SHELL_TEXT:
        pytest.skip("is a shell's text")
    for number, attack in enumerate(ATTACKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        target = tmp_path / f"appeared-{number}"
        config = put(GOOD, path, attack.replace("@", str(target)))
        try:
            study = read_study(config, base=folder)
        except ConfigFailure:
            continue
        json.dumps(config)
        run_everything(study, config, folder)
        assert not target.exists(), attack
        left = {path for path in folder.rglob("*") if "results" not in path.parts}
        assert left <= {folder / "bin"} | set((folder / "bin").glob("*"))


def run_everything(study, config, folder) -> None:
    """Let a shell read all that a shell reads of a study, with programs that do nothing."""
    programs = folder / "bin"
    programs.mkdir()
    for program in ("python", "sbatch", "docker", "mkdir", "sed", "module", "id"):
        (programs / program).write_text("#!/bin/sh\nexit 0\n")
        (programs / program).chmod(0o755)
    options = sbatch_options(study, ProfileDefaults())
    scripts = write_job_scripts(study, config, units=["sub-01"], options=options, python="python")
    call = call_format(study).format(img="image", cmd="command").format(pwd=folder, tmpdir="t")
    extra = slurm_extra(study.resources.sbatch)
    given = job_environment(study, Runtime.DOCKER, folder / "scratch")
    for command in ([str(scripts / "sub-01.sh")], ["-c", call], ["-c", f"sbatch {extra}"]):
        subprocess.run(
            ["bash", *command],
            cwd=folder,
            env={**given, "PATH": f"{programs}:/usr/bin:/bin"},
            capture_output=True,
            check=False,
            timeout=60,
        )
    module_words = " ".join(study.resources.modules)
    assert shlex.split(module_words) == list(study.resources.modules)
