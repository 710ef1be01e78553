"""Scripts to submit by hand, and options of sbatch on their way to SLURM."""

import re
import shlex
import stat
import subprocess

import pytest
from bidsloom.config import read_study
from bidsloom.scheduling.job_scripts import sbatch_options, write_job_scripts
from bidsloom.scheduling.requests import ProfileDefaults
from bidsloom.scheduling.slurm import sbatch_line, slurm_extra
from helpers.old_config import changed

VALUES = [
    "plain",
    "a b",
    "it's",
    'a"b',
    "a\\b",
    "$(touch X)",
    "`touch X`",
    "a;b",
    "x -J y",
    "#x",
    "",
]
VALUES += ["--mem=5", "-C x", "node-[1,2]", "a\\", "%j", "~", "*", "!x", "a|b&c"]


def read_by_sbatch(line: str) -> list[str]:
    """The arguments of a `#SBATCH` line.

    As sbatch reads it: quotes group, a backslash protects any one character,
    also between single quotes, and `#` starts a comment.
    """
    words, word, quote, protected = [], None, "", False
    for letter in line.removeprefix("#SBATCH"):
        if protected:
            word, protected = (word or "") + letter, False
        elif letter == "\\":
            word, protected = word or "", True
        elif quote:
            word, quote = (word, "") if letter == quote else (word + letter, quote)
        elif letter in "\"'":
            word, quote = word or "", letter
        elif letter == "#":
            break
        elif letter.isspace():
            words, word = [*words, word] if word is not None else words, None
        else:
            word = (word or "") + letter
    assert not quote
    return [*words, word] if word is not None else words


@pytest.mark.parametrize("value", VALUES)
def test_a_value_reaches_sbatch_as_it_is(value):
    """One argument a line, whatever is in it."""
    assert [f"--comment={value}"] == read_by_sbatch(sbatch_line(f"--comment={value}"))


@pytest.mark.parametrize("value", VALUES)
def test_a_value_passes_the_shell_of_the_plugin(value, tmp_path):
    """A shell makes the same argument of it, and starts nothing."""
    text = slurm_extra([f"--licenses={value}", "--hold"])
    assert [f"--licenses={value}", "--hold"] == shlex.split(text)
    said = subprocess.run(
        f"printf '%s\\0' {text}", shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert [f"--licenses={value}", "--hold"] == said.stdout.split("\0")[:-1]
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("value", VALUES)
def test_the_plugin_finds_no_option_of_its_own_in_a_value(value):
    """It would stop, and Snakemake would never end."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm.validation")
    text = slurm_extra([f"--exclude={value}", "--nice=100", "--mem-bind=local"])
    reserved = plugin.get_forbidden_slurm_options()
    assert [] == [name for pattern, name in reserved.items() if re.search(pattern, text)]


def write(tmp_path, **hpc):
    """The script of one unit, and the folder that it is in."""
    config = changed("hpc", **hpc)
    study = read_study(config, base=tmp_path)
    options = sbatch_options(study, ProfileDefaults())
    folder = write_job_scripts(study, config, units=["sub-01"], options=options, python="python")
    return (folder / "sub-01.sh").read_text(), folder


def test_each_option_is_on_its_own_line(tmp_path):
    """`-C skylake` stays together, blanks and quotes reach sbatch."""
    text, _ = write(tmp_path, sbatch="-C 'a|b' --reservation 'my nodes' --nice=5", partition="gpu")
    lines = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    arguments = [read_by_sbatch(line) for line in lines]
    assert all(len(words) == 1 for words in arguments)
    given = [words[0] for words in arguments]
    assert {"--constraint=a|b", "--reservation=my nodes", "--nice=5", "--partition=gpu"} <= set(
        given
    )


def test_values_of_variables_are_in_the_private_config_alone(tmp_path):
    """They may be secrets; the script beside it is private too."""
    text, folder = write(tmp_path, environment={"TOKEN": "s3cret", "PATH": "/opt/app"})
    assert "s3cret" not in text
    assert "PATH=" not in text
    assert "s3cret" in (folder / "config.yaml").read_text()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert {"sub-01.sh": 0o700, "config.yaml": 0o600} == modes
