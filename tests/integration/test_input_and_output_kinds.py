"""Inputs and outputs of every kind."""

import shutil
from pathlib import Path

import pytest
from helpers.servers import serve_folder
from helpers.studies import git, run, without_description, write_bids


@pytest.fixture(scope="module")
def places(tmp_path_factory, input_dataset):
    """The input dataset in every kind of place, by name."""
    root = tmp_path_factory.mktemp("places of data")
    bare = root / "bare store.git"
    git("clone", "-q", "--bare", input_dataset, bare, cwd=root)
    git("annex", "init", "-q", "bare", cwd=bare)
    git("annex", "get", "-q", "--all", cwd=bare)
    clone = root / "for ria"
    run("datalad", "-l", "error", "clone", input_dataset, clone, cwd=root)
    run("datalad", "get", ".", cwd=clone)
    ria = root / "ria store"
    run(
        "datalad",
        "-l",
        "error",
        "create-sibling-ria",
        "-s",
        "ria",
        "--new-store-ok",
        "--alias",
        "raw",
        f"ria+file://{ria}",
        cwd=clone,
    )
    run("datalad", "-l", "error", "push", "--to", "ria", cwd=clone)
    git("update-server-info", cwd=input_dataset)
    plain = root / "plain git"
    shutil.copytree(
        input_dataset, plain, symlinks=False, ignore=shutil.ignore_patterns(".git*", ".datalad")
    )
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all in git")):
        git(*command, cwd=plain)
    with serve_folder(input_dataset.parent) as url:
        yield {
            "path": str(input_dataset),
            "bare": str(bare),
            "file": bare.as_uri(),
            "ria": f"ria+file://{ria}#~raw",
            "http": f"{url}/bids/.git",
            "plain": str(plain),
        }


@pytest.mark.parametrize(
    "kind",
    [
        *("path", "http", "plain"),
        *(pytest.param(kind, marks=pytest.mark.more) for kind in ("bare", "file", "ria")),
    ],
)
def test_input_from(workspace, places, undisturbed_tree, kind):
    """Wherever the input comes from, the results are the same."""
    workspace.config["datalad"]["input_repo"] = places[kind]
    workspace.snakemake()
    assert without_description(undisturbed_tree) == without_description(workspace.tree())
    modules = git("show", "main:.gitmodules", cwd=workspace.store)
    assert places[kind].replace("%20", " ") in modules.replace("%20", " ")


def test_input_version_pins_a_commit(workspace, tmp_path, input_dataset):
    """A tag is resolved once; a branch that moves on changes no running study."""
    root = tmp_path / "bids"
    run("datalad", "-l", "error", "clone", input_dataset, root, cwd=tmp_path)
    run("datalad", "get", ".", cwd=root)
    git("tag", "1.0", cwd=root)
    pinned = git("rev-parse", "HEAD", cwd=root)
    branch = git("branch", "--show-current", cwd=root)
    sidecar = root / "sub-02" / "anat" / "sub-02_T1w.json"
    sidecar.write_text('{"EchoTime": 0.004}')
    run("datalad", "-l", "error", "save", cwd=root)
    workspace.config["datalad"] |= {"input_repo": str(root), "input_version": "1.0"}
    workspace.snakemake()
    assert pinned == git("rev-parse", "main:sourcedata/raw", cwd=workspace.store)
    # Another version: only the subject that changed is computed again.
    workspace.config["datalad"]["input_version"] = branch
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "02", "03"]
    assert pinned != git("rev-parse", "main:sourcedata/raw", cwd=workspace.store)


def test_output_to_ria_store(workspace, undisturbed_tree, tmp_path):
    """A RIA store, made when missing: same tree, content fetched from it, nothing computed twice."""
    store = tmp_path / "ria of results"
    url = f"ria+file://{store}#~derivatives"
    workspace.config["datalad"]["output_repos"] = [url]
    workspace.snakemake()
    repository = (store / "alias" / "derivatives").resolve()
    assert undisturbed_tree == workspace.tree(repository)
    assert workspace.branches(repository) == ["base", "git-annex", "main"]
    clone = workspace.clone(url=url)
    run("datalad", "-l", "error", "get", "probe/sub-02", cwd=clone)
    where = git("annex", "whereis", "probe/sub-02/sub-02_desc-probe.dat", cwd=clone)
    assert "[output-storage]" in where
    shutil.rmtree(workspace.root / ".snakemake")
    run("chmod", "-R", "u+w", workspace.results, cwd=workspace.root)
    shutil.rmtree(workspace.results)
    workspace.snakemake()
    assert workspace.runs() == ["01", "02", "03"]


def test_output_to_existing_bare_repository(workspace, undisturbed_tree):
    """An empty bare repository that somebody made beforehand becomes the store."""
    workspace.store.mkdir(parents=True)
    git("init", "-q", "--bare", cwd=workspace.store)
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()


def test_lock_file_is_held_and_left(workspace, undisturbed_tree):
    """With a lock file the study runs the same, and the file stays unlocked."""
    workspace.config["datalad"]["lock_file"] = "locks/study.lock"
    workspace.snakemake()
    assert undisturbed_tree == workspace.tree()
    run("flock", "-n", workspace.root / "locks" / "study.lock", "true", cwd=workspace.root)


def test_study_next_to_the_demo(workspace):
    """A config file of one's own takes nothing from the shipped one."""
    listed = workspace.snakemake("-n")
    assert "sub-04" not in listed.stdout + listed.stderr
    assert Path(workspace.root / "results" / "probe").is_dir()
    assert not (workspace.root / "results" / "demo").exists()


@pytest.mark.parametrize("kind", ["unlocked", "tuned"])
def test_input_of_an_unusual_kind(workspace, tmp_path, kind):
    """An unlocked file has its content in the job; so have files of a repository with other folders."""
    dataset = tmp_path / "unusual"
    settings = ["-c", "annex.tune.branchhash1=true"] if kind == "tuned" else []
    git("init", "-q", dataset, cwd=tmp_path)
    git(*settings, "annex", "init", "-q", cwd=dataset)
    write_bids(dataset, {"01": [None]})
    git("annex", "add", "-q", ".", cwd=dataset)
    if kind == "unlocked":
        git("annex", "unlock", "-q", "sub-01", cwd=dataset)
    git("commit", "-q", "-m", "data", cwd=dataset)
    workspace.config["datalad"]["input_repo"] = str(dataset)
    workspace.snakemake()
    clone = workspace.clone()
    run("datalad", "get", "probe", cwd=clone)
    data = (clone / "probe" / "sub-01" / "sub-01_desc-probe.dat").read_bytes()
    assert b"voxels of sub-01" in data
