"""`hpc.sbatch`: options as arguments."""

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from bidsloom.config.sbatch import parse_sbatch
from helpers.old_config import changed


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", ()),
        ("--constraint=skylake --nice=100", ("--constraint=skylake", "--nice=100")),
        ("-C skylake -x 'node 1'", ("--constraint=skylake", "--exclude=node 1")),
        ("-Cskylake", ("--constraint=skylake",)),
        ("-Hs --reservation maint", ("--hold", "--oversubscribe", "--reservation=maint")),
        ("--nice='$(touch X)'", ("--nice=$(touch X)",)),
        ("--mem-bind=local --tmp 5G", ("--mem-bind=local", "--tmp=5G")),
        ("--new-in-slurm-99=1", ("--new-in-slurm-99=1",)),
    ],
)
def test_each_option_is_one_argument(text, options):
    """Short and long forms mean the same; a value stays with its option."""
    assert options == parse_sbatch(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--nice=100 $(touch X)", "'$(touch'"),
        ("--nice='1", "closing quotation"),
        ("--partition=gpu", "use hpc.partition"),
        ("-p gpu", "use hpc.partition"),
        ("-pgpu", "use hpc.partition"),
        ("-Hp gpu", "use hpc.partition"),
        ("--part=gpu", "use hpc.partition"),
        ("--mem=5G", "use hpc.mem"),
        ("--time 10", "use hpc.time"),
        ("-A lab", "use hpc.account"),
        ("--qos=x", "use hpc.qos"),
        ("--cpus-per-task=2", "use hpc.cpus"),
        ("--gres=gpu:1", "use hpc.gpus"),
        ("--array=1-5", "use hpc.units_per_job"),
        ("--export=NONE", "use hpc.environment"),
        ("--wrap=ls", "another kind of job"),
        ("-J name", "sets itself"),
        ("--output=x", "sets itself"),
        ("--constr=x", "short for --constraint"),
        ("script.sh", "no option of sbatch"),
        ("--", "no option of sbatch"),
        ("-Z", "no option of sbatch"),
        ("-C", "without its value"),
        ("--nice=" + "9" * 5000, "longer than"),
        ("--nice=1\n--tmp=2", "line break"),
    ],
)
def test_what_is_refused_is_refused_by_name(text, words):
    """With what to use instead, before anything is written."""
    with pytest.raises(ConfigFailure) as caught:
        read_study(changed("hpc", sbatch=text))
    assert words in str(caught.value)
    assert "hpc.sbatch" in str(caught.value)


def test_the_constraint_is_apart():
    """Snakemake's plugin sets it itself."""
    resources = read_study(changed("hpc", sbatch="--nice=5 -C a -C 'b|c'")).resources
    assert (("--nice=5",), "b|c") == (resources.sbatch, resources.constraint)
