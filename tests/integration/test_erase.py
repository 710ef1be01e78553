"""A withdrawn subject is taken out of the stores, and nothing of others changes."""

import fcntl
import re
import shutil
import sys
from pathlib import Path

import pytest
from bidsloom.base.files import digest
from bidsloom.base.runners import node_name
from bidsloom.config import read_study
from bidsloom.datasets.annex import object_path
from helpers.studies import REPOSITORY, git, make_workspace, run

SCRIPT = REPOSITORY / "workflow" / "scripts" / "erase.py"
NAME = re.compile(r"sub-02(?![A-Za-z0-9+])")


def erase(workspace, *args, code=0) -> str:
    """What the command says; it ends with a given exit code."""
    config = ["--config", workspace.write_config()]
    done = run(sys.executable, SCRIPT, *args, *config, cwd=workspace.root, check=False)
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout + done.stderr


def stores(workspace) -> list[Path]:
    return [workspace.store, workspace.root / "surfaces.git"]


def refs(workspace) -> list[str]:
    return [git("for-each-ref", cwd=store) for store in stores(workspace)]


def entries(store: Path) -> dict[str, str]:
    """Path -> mode and blob of each file of main, without what main registers."""
    lines = git("ls-tree", "-r", "main", cwd=store).splitlines()
    pairs = (line.split("\t") for line in lines)
    return {path: entry for entry, path in pairs if not entry.startswith("160000")}


def objects(store: Path) -> set[str]:
    """Names of the annexed files that a store holds."""
    return {p.name for p in (store / "annex" / "objects").rglob("*") if p.is_file()}


def key_of(store: Path, path: str) -> str:
    return git("cat-file", "-p", f"main:{path}", cwd=store).rpartition("/")[2]


def naming(folder: Path, *, without: set[str]) -> set[str]:
    """Files below a folder that name the subject, by their path or their content."""
    found = set()
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if relative.parts[0] in without or not path.is_file():
            continue
        if NAME.search(str(relative)) or NAME.search(path.read_text(errors="replace")):
            found.add(relative.as_posix())
    return found


def history_of(store: Path) -> list[str]:
    """Everything in a store's git objects and refs that names the subject."""
    said = git("rev-list", "--all", "--objects", cwd=store).splitlines()
    said += git("log", "--all", "--format=%B", cwd=store).splitlines()
    said += git("for-each-ref", "--format=%(refname)", cwd=store).splitlines()
    return [line for line in said if NAME.search(line)]


def check_clone(workspace, name: str) -> None:
    """A fresh clone gets every file of main, and git-annex finds nothing wrong."""
    clone = workspace.clone(name)
    git("annex", "get", "-q", "probe", cwd=clone)
    git("annex", "fsck", "-q", "--all", "--from", "origin", cwd=clone)
    update = ("submodule", "-q", "update", "--init", "sourcedata/surfaces")
    git("-c", "protocol.file.allow=always", *update, cwd=clone)
    git("annex", "get", "-q", ".", cwd=clone / "sourcedata" / "surfaces")
    run("chmod", "-R", "u+w", clone, cwd="/")
    shutil.rmtree(clone)


@pytest.fixture(scope="module")
def made(tmp_path_factory, input_dataset):
    """A finished study with a group level; a file by hand has the content of a subject's."""
    workspace = make_workspace(tmp_path_factory.mktemp("era se") / "my study", input_dataset)
    container = workspace.config["container"]
    surfaces = {"path": "sourcedata/surfaces", "repo": str(workspace.root / "surfaces.git")}
    container["outputs"] = ["probe", surfaces]
    container["bids_args"]["fs-subjects-dir"] = surfaces["path"]
    container["bids_filter"] = {"t1w": {"suffix": "T1w"}}
    container["group_level"] = True
    workspace.config["datalad"]["lock_file"] = "lock"
    workspace.snakemake()
    clone = workspace.clone("by hand")
    same = (clone / "probe" / "sub-02" / "sub-02_desc-probe.dat").readlink()
    (clone / "probe" / "atlas.dat").symlink_to(same.relative_to(".."))
    (clone / "probe" / "sub-02_qc.tsv").write_text("bad\n")
    (clone / "notes.txt").write_text("sub-02 moved\n")
    git("add", "-A", cwd=clone)
    git("commit", "-q", "-m", "by hand", cwd=clone)
    git("push", "-q", "origin", "HEAD:main", cwd=clone)
    colleague = workspace.root / "colleague"
    git("clone", "-q", workspace.root / "surfaces.git", colleague, cwd="/")
    git("annex", "init", "-q", "a colleague", cwd=colleague)
    git("annex", "get", "-q", "sub-02", cwd=colleague)
    git("push", "-q", "origin", "git-annex", cwd=colleague)
    for folder in (clone, colleague):
        run("chmod", "-R", "u+w", folder, cwd="/")
        shutil.rmtree(folder)
    return workspace


def test_refusals(made):
    """Nothing is changed where the subject would come back, something runs, or nobody confirms."""
    before = refs(made), naming(made.results, without=set())
    said = erase(made, "sub-02", "--yes", code=3)
    assert "sub-02 is still in the input" in said
    assert 'add "02" to subjects.exclude' in said
    made.config["subjects"] = {"exclude": ["02"]}
    for path in (made.root / "lock", made.results / ".clones.lock"):
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert f"holds the lock {path}" in erase(made, "02", "--yes", code=3)
    snakemake = made.root / ".snakemake" / "locks" / "0.input.lock"
    snakemake.parent.mkdir(exist_ok=True)
    snakemake.touch()
    assert "A run of Snakemake is under way" in erase(made, "02", "--yes", code=3)
    snakemake.unlink()
    folder = made.scratch / f"bidsloom-probe-{digest(str(made.results))[:8]}-sub-03-x"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{node_name()} 1")
        lock.flush()
        assert "1 job(s) of study probe run or wait: sub-03" in erase(made, "02", "--yes", code=3)
    shutil.rmtree(folder)
    assert "--dry-run only shows it" in erase(made, "02", code=3)
    assert "nothing of sub-99" in erase(made, "99", "--yes", code=3)
    assert "not the label of a subject" in erase(made, "02_ses-1", code=3)
    said = erase(made, "02", "--dry-run")
    assert "probe/sub-02" in said
    assert before == (refs(made), naming(made.results, without=set()))


def test_erase(made):
    """Its files, branches, content and notes are gone; those of others are what they were."""
    made.config["subjects"] = {"exclude": ["02"]}
    own_key = key_of(stores(made)[1], "sub-02/surf/lh.white")
    shared_key = key_of(made.store, "probe/sub-02/sub-02_desc-probe.dat")
    scratch = made.scratch / f"bidsloom-probe-{digest(str(made.results))[:8]}-sub-02-x"
    scratch.mkdir()
    before = [entries(store) for store in stores(made)]
    held = [objects(store) for store in stores(made)]
    records = {p.name: p.read_bytes() for p in (made.results / "jobs").iterdir()}
    commit = made.record("sub-02")["commit"]
    said = erase(made, "sub-02", "--yes")
    after = [entries(store) for store in stores(made)]
    gone = [set(b) - set(a) for b, a in zip(before, after, strict=True)]
    assert {"sub-02/surf/lh.white"} == gone[1]
    assert gone[0] == {
        "code/bids_filter/sub-02.json",
        "probe/sub-02.html",
        "probe/sub-02/sub-02_desc-probe.dat",
        "probe/sub-02/sub-02_desc-probe.json",
        "probe/sub-02_qc.tsv",
    }
    for old, new in zip(before, after, strict=True):
        assert {p: e for p, e in old.items() if p in new} == new
    assert [held[0], held[1] - {own_key}] == [objects(store) for store in stores(made)]
    assert object_path(made.store, shared_key).exists()
    assert not object_path(stores(made)[1], own_key).parent.exists()
    assert not [name for name in refs(made) if "sub-02" in name]
    kept = {p.name: p.read_bytes() for p in (made.results / "jobs").iterdir()}
    assert {n: r for n, r in records.items() if n != "sub-02.json"} == kept
    clones = {"dataset", "input", "outputs", "export"}
    assert set() == naming(made.results, without=clones)
    assert not scratch.exists()
    check_clone(made, "after")

    # What is left is said: history, group, texts, and how to get rid of it.
    assert "by git-annex' notes; remove it there, too:\n  a colleague: 1 file(s)" in said
    assert "Clones that git-annex knows of, which have this history: a colleague" in said
    assert "The group's results were computed with this subject" in said
    assert re.search(r"\d+ commit\(s\) name it, [1-9]\d* of them run records", said)
    assert "texts in main that have its name in them: notes.txt" in said
    assert f"sh '{made.results}/renew_stores.sh'" in said

    # The next run leaves it out, and computes the group again.
    runs = made.runs()
    made.snakemake()
    assert sorted([*runs, "group"]) == made.runs()
    assert after[0].keys() == entries(made.store).keys()

    # A job that pushes late is not merged, and erased as well.
    git("push", "-q", str(made.store), f"{commit}:refs/heads/job/probe/sub-02",
        cwd=read_study(made.config, base=made.root).dataset)  # fmt: skip
    done = made.snakemake("--cores", "1", "merge", check=False)
    assert "sub-02: the subject was erased; erase it again" in done.stderr
    assert after[0].keys() == entries(made.store).keys()
    said = erase(made, "02", "--yes")
    assert not [name for name in refs(made) if "sub-02" in name]
    made.snakemake("--cores", "1", "merge")


def test_stores_made_anew(made):
    """The commands of the report leave no trace of the subject, and no unit is computed again."""
    before = [entries(store) for store in stores(made)]
    held = [objects(store) for store in stores(made)]
    assert all(history_of(store) for store in stores(made))
    run("sh", made.results / "renew_stores.sh", cwd="/")
    assert [[], []] == [history_of(store) for store in stores(made)]
    group = {path: e for path, e in before[0].items() if path.startswith("probe/group_")}
    assert 2 == len(group)
    after = [entries(store) for store in stores(made)]
    assert before == [{**after[0], **group}, after[1]]
    assert group.keys().isdisjoint(after[0])
    assert held == [objects(store) for store in stores(made)]
    check_clone(made, "renewed")
    runs = made.runs()
    made.snakemake("--cores", "1", "prepare_study", "list_subjects")
    made.snakemake()
    assert sorted([*runs, "group"]) == made.runs()
    assert [[], []] == [history_of(store) for store in stores(made)]
    assert before[0].keys() == entries(made.store).keys()
    check_clone(made, "renewed again")


@pytest.mark.more
def test_ria_store(workspace, tmp_path):
    """The same in a RIA store: content is dropped there, and a renewed store is found by its alias."""
    ria = tmp_path / "ria store"
    workspace.config["datalad"]["output_repos"] = [f"ria+file://{ria}#~probe"]
    workspace.snakemake()
    store = ria / "alias" / "probe"
    key = key_of(store, "probe/sub-02/sub-02_desc-probe.dat")
    held = objects(store)
    workspace.config["subjects"] = {"exclude": ["02"]}
    said = erase(workspace, "sub-02", "--yes")
    assert f"ria+file://{ria}#~probe: 1 annexed file(s)" in said
    assert held - {key} == objects(store)
    run("sh", workspace.results / "renew_stores.sh", cwd="/")
    assert [] == history_of(store)
    assert held - {key} == objects(store)
    runs = workspace.runs()
    workspace.snakemake("--cores", "1", "prepare_study", "list_subjects")
    workspace.snakemake()
    assert runs == workspace.runs()
    clone = workspace.clone(url=f"ria+file://{ria}#~probe")
    git("annex", "get", "-q", "probe", cwd=clone)
    run("chmod", "-R", "u+w", clone, cwd="/")
