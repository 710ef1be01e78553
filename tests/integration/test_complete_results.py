"""Merged means complete: nothing that an app wrote is lost, and what is not complete is held."""

import json
import os
import shutil

import pytest
from helpers.hostile_settings import HOSTILE, write_account
from helpers.studies import REPOSITORY, STATUS_SCRIPT, git, make_input, make_workspace, run

ODD_APP = REPOSITORY / "tests" / "apps" / "odd_app.py"
ACCEPT_SCRIPT = REPOSITORY / "workflow" / "scripts" / "accept.py"


@pytest.fixture
def odd(tmp_path, input_dataset):
    """A study of the odd app; `odd.modes(sub, words)` says what it does for a subject."""
    workspace = make_workspace(tmp_path / "odd", input_dataset)
    workspace.config["container"].update(image=str(ODD_APP))
    return workspace


def set_modes(workspace, **modes: str) -> None:
    """What the app does for each subject, by label (`s01`)."""
    for subject, words in modes.items():
        (workspace.switches / f"mode-{subject[1:]}").write_text(words)


def files_in_main(workspace) -> dict[str, str]:
    """Path -> mode of every file below the output folder."""
    listed = git("ls-tree", "-r", "-z", "main", "probe/", cwd=workspace.store).split("\0")
    return {line.partition("\t")[2]: line[:6] for line in filter(None, listed)}


def run_script(script, workspace, *arguments):
    """One of the commands beside Snakemake."""
    config = workspace.write_config()
    command = ["python", script, *arguments, "--config", config]
    return run(*command, cwd=workspace.root, check=False)


def test_nothing_is_lost_whoever_ignores_it(odd, monkeypatch, tmp_path):
    """Ignore rules, nested repositories, links, odd names, closed folders, a hostile account."""
    set_modes(odd, s01="ignored repository links names closed fifo")
    home = tmp_path / "home of another"
    write_account(home, {**HOSTILE, "user.name": "A", "user.email": "a@example.org"})
    # The tests' own environment is composed; this is a user's.
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "")
    odd.snakemake()
    monkeypatch.undo()
    files = files_in_main(odd)
    there = {path.removeprefix("probe/sub-01/") for path in files if "/sub-01/" in path}
    assert {
        *("scan.nii.gz", "confounds.tsv", ".gitignore", "ignored.dat", ".pytest_cache/kept"),
        *(".pytest_cache/.gitignore", "repository/inner.txt", "absolute", "relative", "dangling"),
        *("copied.nii.gz", "-dash", "new\nline.txt", "lookalike.txt", ".gitattributes"),
        *("lines.txt", "closed/data.dat"),
    } == there
    assert "probe/sub-01.html" in files
    assert "160000" not in files.values()
    clone = odd.clone("look")
    run("datalad", "get", "-r", "probe/sub-01", cwd=clone)
    got = clone / "probe" / "sub-01"
    image = f"{'voxels of sub-01'}\0".encode() * 50
    assert image == (got / "copied.nii.gz").read_bytes()
    assert b"a\r\nb\r\n" == (got / "lines.txt").read_bytes()
    assert b"closed" * 100 == (got / "closed" / "data.dat").read_bytes()
    assert (got / "lookalike.txt").read_text().startswith("/annex/objects/")
    assert "scan.nii.gz" == str((got / "absolute").readlink())
    record = json.loads((odd.results / "jobs" / "sub-01.json").read_text())
    assert {"probe/sub-01/fifo", "probe/sub-01/repository/.git"} == set(record["left_out"])
    assert "fifo is not saved" in (odd.results / "logs" / "sub-01.log").read_text()
    assert "120000" == files["probe/sub-01/scan.nii.gz"]


def test_what_cannot_be_a_result_fails_its_unit_by_name(odd, tmp_path):
    """Another unit's folder, a link out of the dataset, a name that is no text."""
    inputs = make_input(tmp_path / "four", {n: [None] for n in ("01", "02", "03", "04", "05")})
    odd.config["datalad"]["input_repo"] = str(inputs)
    set_modes(odd, s01="foreign", s02="escape", s03="latin", s04="foreign-file")
    done = odd.snakemake("--cores", "2", "--retries", "0", check=False)
    assert 1 == done.returncode
    assert {"probe/sub-05.html"} == {p for p in files_in_main(odd) if p.endswith(".html")}
    said = {n: odd.attempts(f"sub-{n}")[-1]["message"] for n in ("01", "02", "03", "04")}
    assert "probe/sub-99/of-another" in said["01"] and "belongs to sub-99" in said["01"]
    assert "probe/sub-02/escape" in said["02"] and "/etc/hostname" in said["02"]
    assert r"caf\xe9.txt" in said["03"]
    assert "probe/sub-99.html" in said["04"]
    assert ["base", "git-annex", "main"] == odd.branches()
    # A link out of the dataset may be left out on purpose.
    odd.config["container"]["leave_out"] = ["sub-*/escape"]
    odd.config["subjects"] = {"include": ["02", "05"]}
    odd.snakemake()
    assert "probe/sub-02/scan.nii.gz" in files_in_main(odd)
    assert "probe/sub-02/escape" not in files_in_main(odd)


def test_incomplete_results_are_held_accepted_and_replaced(odd):
    """A crash file, an exit code with all files there, a missing file: held, until somebody acts."""
    odd.config["container"]["expects"] = [
        "sub-{subject}/scan.nii.gz",
        "sub-{subject}/confounds.tsv",
    ]
    set_modes(odd, s01="crash", s02="exit", s03="half")
    done = odd.snakemake(check=False)
    assert 1 == done.returncode
    assert "3 incomplete" in done.stderr
    held = [f"incomplete/probe/sub-0{n}" for n in (1, 2, 3)]
    assert ["base", "git-annex", *held, "main"] == odd.branches()
    assert {} == files_in_main(odd)
    status = run_script(STATUS_SCRIPT, odd, "--json")
    assert 1 == status.returncode
    units = {unit["unit"]: unit for unit in json.loads(status.stdout)["units"]}
    assert {"incomplete"} == {unit["state"] for unit in units.values()}
    assert "exit code 1, all expected files are there" == units["sub-02"]["reason"]
    assert "crash-20261125-node.txt" in units["sub-01"]["reason"]
    assert "confounds.tsv" in units["sub-03"]["reason"]
    assert 3 == len(odd.runs())
    # The store is the truth: without notes nothing is computed again, and nothing is merged.
    shutil.rmtree(odd.results)
    assert 1 == odd.snakemake(check=False).returncode
    assert 3 == len(odd.runs())
    # A name that is not held is refused before anything is written.
    refused = run_script(ACCEPT_SCRIPT, odd, "02,07")
    assert 1 <= refused.returncode
    assert "07: no result of this name is held" in refused.stderr
    assert {} == files_in_main(odd)
    assert 0 == run_script(ACCEPT_SCRIPT, odd, "02").returncode
    assert "probe/sub-02/scan.nii.gz" in files_in_main(odd)
    message = git(
        "log", "-1", "--format=%B", "--grep", "Bidsloom-Unit: sub-02", "main", cwd=odd.store
    )
    assert '"exit": 1' in message
    # By another definition of complete the same result is complete; nothing is computed.
    odd.config["container"]["expects"] = ["sub-{subject}/scan.nii.gz"]
    assert 1 == odd.snakemake(check=False).returncode
    assert "probe/sub-03/scan.nii.gz" in files_in_main(odd)
    assert ["base", "git-annex", held[0], "main"] == odd.branches()
    # Held by the user's own choice, the study is finished.
    odd.config["container"]["on_incomplete"] = "hold"
    assert 0 == odd.snakemake(check=False).returncode
    assert 0 == run_script(STATUS_SCRIPT, odd).returncode
    assert 3 == len(odd.runs())
    # Computed again, it is complete, and replaces what was held.
    odd.config["container"]["on_incomplete"] = "retry"
    set_modes(odd, s01="")
    odd.snakemake()
    assert ["01", "01", "02", "03"] == odd.runs()
    assert "probe/sub-01/scan.nii.gz" in files_in_main(odd)
    assert ["base", "git-annex", "main"] == odd.branches()


def test_result_whose_branch_is_gone_is_computed_again(odd):
    """A record without a result in the store is never called merged."""
    odd.config["subjects"] = {"include": ["01", "02"]}
    odd.snakemake("--cores", "2", "--until", "process_subject")
    git("update-ref", "-d", "refs/heads/job/probe/sub-01", cwd=odd.store)
    done = odd.snakemake(check=False)
    assert 1 == done.returncode
    assert "its branch is gone" in odd.attempts("sub-01")[-1]["message"]
    odd.snakemake()
    assert "probe/sub-01/scan.nii.gz" in files_in_main(odd)
