"""The ways to use the workflow that Snakemake's catalog names, and its linter."""

import re
import shutil
import tomllib

import pytest
import yaml
from helpers.studies import REPOSITORY, run

WORKFLOW = REPOSITORY / "workflow" / "Snakefile"
MODULE = f"""\
configfile: "study.yaml"


module study:
    snakefile:
        "{WORKFLOW}"
    config:
        config


use rule * from study
"""


@pytest.fixture
def fresh_clone(tmp_path):
    """The repository's files, without the demo's data."""
    root = tmp_path / "a clone"
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "workflow", root / "workflow", symlinks=True, ignore=left_out)
    for name in ("config", "profiles"):
        shutil.copytree(REPOSITORY / name, root / name)
    shutil.copy(REPOSITORY / "Snakefile", root)
    return root


def test_the_linter_asks_for_environments_alone(fresh_clone):
    """Nothing else is found; all rules run in the environment that Snakemake runs in."""
    done = run("snakemake", "--lint", cwd=fresh_clone, check=False)
    titles = set(re.findall(r"^    \* (.+):$", done.stderr, flags=re.MULTILINE))
    assert {"Specify a conda environment or container for each rule."} == titles
    assert not (fresh_clone / "results").exists()


@pytest.mark.parametrize("option", ["--list-rules", "--unlock"])
def test_what_only_reads_the_rules_needs_no_data(fresh_clone, option):
    """Neither looks at the study, nor leaves anything."""
    run("snakemake", option, cwd=fresh_clone)
    assert not (fresh_clone / "results").exists()


def test_named_from_elsewhere(workspace):
    """`snakemake -s workflow/Snakefile`: by default the whole study, as its profile says."""
    asked = ("-s", WORKFLOW, "--configfile", workspace.write_config())
    done = run("snakemake", *asked, "-n", cwd=workspace.root)
    assert str(REPOSITORY / "workflow" / "profiles" / "default") in done.stdout + done.stderr
    assert "write_report" in done.stdout


def test_used_as_a_module(workspace):
    """`module:` by path: the study runs to its end; with the catalog's flags nothing is left."""
    workspace.write_config()
    (workspace.root / "Snakefile").write_text(MODULE)
    catalog = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text())
    flags = catalog["usage"]["mandatory-flags"]["flags"].split()
    run("snakemake", *flags, "--cores", "2", cwd=workspace.root)
    assert ["01", "02", "03"] == workspace.runs()
    assert "main" in workspace.branches()
    again = run("snakemake", *flags, "-n", cwd=workspace.root)
    assert "Nothing to be done" in again.stdout + again.stderr


def test_the_catalogs_flags_are_the_profiles():
    """What has to be typed without the profile is what the profile says."""
    catalog = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text())
    flags = catalog["usage"]["mandatory-flags"]["flags"]
    profile = yaml.safe_load((REPOSITORY / "profiles" / "default" / "config.yaml").read_text())
    assert f"--rerun-triggers {' '.join(profile['rerun-triggers'])}" in flags
    for switch in ("keep-going", "rerun-incomplete"):
        assert (profile[switch], f"--{switch}" in flags) == (True, True)


def test_one_oldest_snakemake():
    """The Snakefile and the package ask for the same version, and the pinned one is not older."""
    (named,) = re.findall(r'min_version\("([\d.]+)"\)', (REPOSITORY / "Snakefile").read_text())
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert f"snakemake>={named},<10" in project["dependencies"]
    pins = (REPOSITORY / "requirements.txt").read_text()
    (pinned,) = re.findall(r"^snakemake==([\d.]+)$", pins, flags=re.MULTILINE)
    assert [int(n) for n in pinned.split(".")] >= [int(n) for n in named.split(".")]
