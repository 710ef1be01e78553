"""Mistakes of a user end in one clear letter, before any job, with nothing written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.studies import REPOSITORY, git, make_input, run


def bare_git(path, *files):
    """A git repository with some files, no DataLad."""
    path.mkdir(parents=True)
    git("init", "-q", cwd=path)
    for name in files:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text("{}")
    git("add", "-A", cwd=path)
    git("commit", "-q", "-m", "x", "--allow-empty", cwd=path)
    return path


def input_missing(w):
    w.config["datalad"]["input_repo"] = "no such folder"


def input_url_missing(w):
    w.config["datalad"]["input_repo"] = "file:///no/such/dataset"


def input_no_git(w):
    (w.root / "plain").mkdir()
    w.config["datalad"]["input_repo"] = "plain"


def input_no_bids(w):
    w.config["datalad"]["input_repo"] = str(
        bare_git(w.root / "nobids", "sub-01/anat/sub-01_T1w.json")
    )


def input_no_subjects(w):
    w.config["datalad"]["input_repo"] = str(bare_git(w.root / "empty", "dataset_description.json"))


def input_bad_label(w):
    files = [
        "dataset_description.json",
        "sub-01;rm -rf/anat/x_T1w.json",
        "sub-02/anat/sub-02_T1w.json",
    ]
    w.config["datalad"]["input_repo"] = str(bare_git(w.root / "label", *files))


def version_unknown(w):
    w.config["datalad"]["input_version"] = "v99"


def subject_absent(w):
    w.config["subjects"] = {"include": ["01", "77"]}


def label_file_missing(w):
    w.config["subjects"] = {"include": "pilot.txt"}


def excluded_absent(w):
    w.config["subjects"] = {"exclude": ["1"]}


def where_without_column(w):
    w.config["subjects"] = {"where": "group == 'patient'"}


def where_attack(w):
    w.config["subjects"] = {"where": "participant_id.to_csv('attack') == 1"}


def entity_unknown(w):
    w.config["subjects"] = {"require": [{"sufix": "T1w"}]}


def nobody_left(w):
    w.config["subjects"] = {"exclude": ["01"], "require": [{"suffix": "bold"}]}


def subject_shell(w):
    w.config["subjects"] = {"include": ["01;rm"]}


def output_below_file(w):
    (w.root / "file").write_text("")
    w.config["datalad"]["output_repos"] = ["file/store"]


def output_other_repository(w):
    bare_git(w.root / "theirs", "a")
    git("clone", "-q", "--bare", w.root / "theirs", w.root / "theirs.git", cwd=w.root)
    w.config["datalad"]["output_repos"] = ["theirs.git"]


def output_work_tree(w):
    w.config["datalad"]["output_repos"] = [str(bare_git(w.root / "tree", "a"))]


def output_folder_with_files(w):
    (w.root / "folder").mkdir()
    (w.root / "folder" / "thesis.tex").write_text("")
    w.config["datalad"]["output_repos"] = ["folder"]


def output_url_unreachable(w):
    w.config["datalad"]["output_repos"] = ["http://127.0.0.1:9/store.git"]


def outputs_alike(w):
    w.config["container"]["outputs"] = ["probe", "probe"]


def output_inside_input(w):
    w.config["container"]["outputs"] = ["sourcedata/raw/derivatives"]


def image_missing(w):
    w.config["container"]["image"] = "missing.sif"


def name_slash(w):
    w.config["container"]["name"] = "fmri/prep"


def name_space(w):
    w.config["container"]["name"] = "fmri prep"


def work_dir_missing(w):
    w.config["common"]["work_dir"] = "nowhere"


def runtime_missing(w):
    del w.config["container"]["call_fmt"]
    w.config["container"]["runtime"] = "auto"
    tools = w.root / "tools"
    tools.mkdir()
    for folder in (Path("/usr/bin"), Path(sys.executable).parent):
        for tool in folder.iterdir():
            if tool.name not in ("apptainer", "singularity"):
                (tools / tool.name).unlink(missing_ok=True)
                (tools / tool.name).symlink_to(tool)
    w.prefix = ("env", f"PATH={tools}")


def license_missing(w):
    w.config["container"]["freesurfer_license"] = "license.txt"


def license_folder(w):
    w.config["container"]["freesurfer_license"] = "switches"


def bind_missing(w):
    w.config["container"]["binds"] = ["/no/such/atlas:/atlas"]


def bind_with_comma(w):
    (w.root / "a,b").mkdir()
    w.config["container"]["binds"] = [f"{w.root}/a,b:/atlas"]


def work_dir_with_colon(w):
    (w.root / "a:b").mkdir()
    w.config["common"]["work_dir"] = "a:b"
    w.config["container"]["call_fmt"] = "podman run {img} {cmd}"
    w.config["container"]["runtime"] = "auto"


def placeholder_unknown(w):
    w.config["container"]["bids_args"]["n_cpus"] = "{thread}"


def placeholder_without_memory(w):
    w.config["container"]["bids_args"]["mem"] = "{mem_gb}"


def image_url_unknown(w):
    w.config["container"]["image"] = "dockr://nipreps/fmriprep:25.1.4"


def program_missing(w):
    del w.config["container"]["call_fmt"]
    w.config["container"]["runtime"] = "charliecloud"


def unknown_key(w):
    w.config["datalad"]["input_rep"] = "x"


def reserved_option(w):
    w.config["hpc"] = {"sbatch": "--nice=100 --mem=5G"}


def shell_in_option(w):
    w.config["hpc"] = {"sbatch": f"--nice=100 $(touch '{w.root}/appeared')"}


def call_format_brace(w):
    w.config["container"]["call_fmt"] = "python3 -I {img} {cmd} }"


def call_format_placeholder(w):
    w.config["container"]["call_fmt"] = "python3 -I {img} {cmd} {nothing}"


def call_format_quote(w):
    w.config["container"]["call_fmt"] = "python3 -I {img} {cmd} 'x"


def output_own_file(w):
    w.config["container"]["outputs"] = ["README.md"]


def output_option(w):
    w.config["container"]["outputs"] = ["-x"]


def lock_folder(w):
    w.config["datalad"]["lock_file"] = "switches"


def lock_fifo(w):
    os.mkfifo(w.root / "lock")
    w.config["datalad"]["lock_file"] = "lock"


def labels_fifo(w):
    os.mkfifo(w.root / "labels")
    w.config["subjects"] = {"include": "labels"}


def long_arguments(w):
    w.config["container"]["bids_args"]["x"] = "y" * 200_000


def alias_outside(w):
    w.config["datalad"]["output_repos"] = [f"ria+file://{w.root}/store#~../../x"]


def store_in_input(w):
    w.config["datalad"]["output_repos"] = [w.config["datalad"]["input_repo"] + "/store.git"]


def store_in_results(w):
    w.config["datalad"]["output_repos"] = ["results/probe/dataset"]


def work_dir_input(w):
    w.config["common"]["work_dir"] = w.config["datalad"]["input_repo"]


def no_memory(w):
    w.config["hpc"] = {"mem": "0G"}


def no_such_home(w):
    w.config["common"]["work_dir"] = "~nouser/x"


def license_empty(w):
    (w.root / "license.txt").touch()
    w.config["container"]["freesurfer_license"] = "license.txt"


def variable_of_the_job(w):
    w.config["hpc"] = {"environment": {"GIT_DIR": "/x"}}


CASES = [
    (input_missing, "does not exist"),
    (input_url_missing, "cannot be cloned"),
    (input_no_git, "is not a BIDS dataset: it has no dataset_description.json. It is no git"),
    (input_no_bids, "no dataset_description.json"),
    (input_no_subjects, "has no subjects"),
    (input_bad_label, "'sub-01;rm -rf'"),
    (version_unknown, "'v99' is not a branch, tag or commit"),
    (subject_absent, "sub-77"),
    (label_file_missing, "pilot.txt, which cannot be read"),
    (excluded_absent, "did you mean sub-01?"),
    (where_without_column, "group is not a column of the table. Columns of participants.tsv"),
    (where_attack, "a function call, which is not allowed"),
    (entity_unknown, "did you mean 'suffix'?"),
    (nobody_left, "2: no file with suffix=bold (sub-02, sub-03)"),
    (subject_shell, "subjects.include.0 is '01;rm'"),
    (output_below_file, "cannot be written to"),
    (output_other_repository, "a repository with other content"),
    (output_work_tree, "no bare git repository"),
    (output_folder_with_files, "no bare git repository"),
    (output_url_unreachable, "cannot be read"),
    (outputs_alike, "the same folder as 'probe'"),
    (output_inside_input, "the same folder as 'sourcedata/raw'"),
    (image_missing, "missing.sif cannot be read"),
    (name_slash, "container.name is 'fmri/prep'"),
    (name_space, "container.name is 'fmri prep'"),
    (work_dir_missing, "nowhere does not exist"),
    (runtime_missing, "No container runtime"),
    (license_missing, "license.txt does not exist"),
    (license_folder, "expected: the licence file itself"),
    (bind_missing, "container.binds /no/such/atlas does not exist"),
    (bind_with_comma, "cannot mount a path with ':' or ','"),
    (work_dir_with_colon, "cannot mount a path with one of"),
    (placeholder_unknown, "did you mean 'threads'?"),
    (placeholder_without_memory, "{mem_gb}, but hpc.mem is not set"),
    (image_url_unknown, "did you mean 'docker'?"),
    (program_missing, "container.executable is empty"),
    (unknown_key, "did you mean 'input_repo'?"),
    (reserved_option, "'--mem=5G', which the workflow sets itself"),
    (shell_in_option, "which is no option of sbatch"),
    (call_format_brace, "braces do not pair"),
    (call_format_placeholder, "{nothing} is not a known placeholder"),
    (call_format_quote, "a shell cannot read"),
    (output_own_file, "files or folders of its own"),
    (output_option, "container.outputs.0 is '-x'"),
    (lock_folder, "which is a folder; expected: a file"),
    (lock_fifo, "which is a fifo; expected: a file"),
    (labels_fifo, "which is a fifo; expected: a file"),
    (long_arguments, "a command line of 200,"),
    (alias_outside, "neither an alias nor a dataset id"),
    (store_in_input, "or one is inside the other"),
    (store_in_results, "outside of results/"),
    (work_dir_input, "common.work_dir"),
    (no_memory, "hpc.mem is '0G'"),
    (no_such_home, "whose home folder is not known"),
    (license_empty, "license.txt is empty"),
    (variable_of_the_job, "hpc.environment sets GIT_DIR"),
]


@pytest.mark.parametrize(("spoil", "words"), CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_letter(workspace, spoil, words):
    """The fault is named with a hint; no traceback, no job, no store."""
    spoil(workspace)
    before = {p for p in workspace.root.rglob("*") if "results" not in p.parts}
    done = workspace.snakemake(check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Hint: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not workspace.runs()
    left = {p for p in workspace.root.rglob("*") if not {"results", ".snakemake"} & set(p.parts)}
    assert left - before <= {workspace.root / "study.yaml"}


def test_all_faults_in_one_pass(workspace):
    """Independent faults are reported together."""
    image_missing(workspace)
    work_dir_missing(workspace)
    output_folder_with_files(workspace)
    said = workspace.snakemake(check=False).stderr
    assert "3 problems were found; nothing was started" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("study: é\n".encode("utf-16"), "is written in UTF-16"),
        (b"study: M\xfcller\n", "line 1, is not written in UTF-8"),
        (b"study: a\nstudy: b\n", "line 2, gives 'study' a second time"),
        (b"study: &x [*x]\n", "uses *x inside itself"),
        (b"datalad:\n  input_version: 2020-13-45\n", "line 2, holds a date"),
        (b"study: a\n---\nstudy: b\n", "line 2, starts a second document"),
        (b"", "is empty"),
        (b"study: " + b"[" * 3000 + b"]" * 3000, "inside each other"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_file_that_is_no_configuration(workspace, content, words):
    """The study's own file is read by our loader before Snakemake reads it."""
    (workspace.root / "config").mkdir()
    (workspace.root / "config" / "config.yaml").write_bytes(content)
    snakefile = REPOSITORY / "Snakefile"
    done = run("snakemake", "-s", snakefile, "--cores", "1", "-n", cwd=workspace.root, check=False)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Hint: " in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (workspace.root / "results").exists()


def test_duplicate_key_of_a_named_file(workspace):
    """Snakemake reads a file of --configfile first, and takes the last of two keys."""
    command = workspace.command("-n")
    with (workspace.root / "study.yaml").open("a") as file:
        file.write("study: other\n")
    done = run(*command, cwd=workspace.root, check=False)
    assert done.returncode == 1
    assert "gives 'study' a second time" in done.stderr


def test_a_fault_names_its_line(workspace):
    """The file and the line of the key, where they are known."""
    workspace.config["hpc"] = {"cpus": 0}
    lines = workspace.write_config().read_text().splitlines()
    number = lines.index("  cpus: 0") + 1
    assert f"(study.yaml, line {number})" in workspace.snakemake("-n", check=False).stderr


def test_file_with_a_dash_at_the_root(workspace, tmp_path):
    """A path is never an option of git or git-annex."""
    source = make_input(tmp_path / "dashed", {"01": [None]})
    (source / "-dash.txt").write_text("x" * 200_000)
    (source / ":(exclude)x.json").write_text("{}")
    run("datalad", "-l", "error", "save", "-m", "more", cwd=source)
    workspace.config["datalad"]["input_repo"] = str(source)
    workspace.snakemake()
    assert workspace.branches() == ["base", "git-annex", "main"]
    assert "probe/sub-01" in workspace.tree()


def test_accepted_metacharacters_run_no_shell(workspace):
    """Arguments, paths and variables of a real run reach the app as they are."""
    attack = f"$(touch '{workspace.root}/appeared'); `touch '{workspace.root}/appeared'` {{x}} -y"
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.config["hpc"] = {"environment": {"PROBE_VARIABLE": attack}}
    store = "out put/$(touch appeared);.git"
    workspace.config["datalad"]["output_repos"] = [store]
    workspace.snakemake()
    assert "main" in workspace.branches(workspace.root / store)
    found = list(workspace.root.rglob("appeared")) + list(REPOSITORY.glob("appeared"))
    assert [] == found


def test_missing_git_identity(workspace, own_home):
    """Without user.name and user.email nothing starts, and the letter says what to type."""
    empty = workspace.root / "home"
    empty.mkdir()
    # The tests' own environment is composed and has an identity.
    bare = {"GIT_CONFIG_COUNT": "0", "GIT_CONFIG_GLOBAL": str(empty / ".gitconfig")}
    home = {"HOME": str(empty), "XDG_CONFIG_HOME": str(empty)}
    done = workspace.snakemake(check=False, env={**home, **bare})
    assert done.returncode == 1
    assert "git config --global user.name" in done.stderr


def test_missing_git_annex(workspace):
    """git-annex off PATH, and not in the environment either, is a letter."""
    # An environment with everything but git-annex, which pip would have put there.
    tools = workspace.root / "tools"
    tools.mkdir()
    for tool in ("git", "sh", "bash", "env", "uname"):
        (tools / tool).symlink_to(run("which", tool, cwd="/").stdout.strip())
    code = (
        "import bidsloom.base.runners as r, os; r.TOOL_DIR = os.environ['PATH']; r.set_up_environment()\n"
        "from bidsloom.checks.machine import check_tools\ncheck_tools()"
    )
    done = subprocess.run(
        [run("which", "python", cwd="/").stdout.strip(), "-c", code],
        env={
            "PATH": str(tools),
            "PYTHONPATH": os.path.join(os.path.dirname(__file__), "../../workflow/scripts"),
        },
        capture_output=True,
        text=True,
    )
    assert "git-annex was not found on PATH" in done.stderr


def test_store_of_another_study(workspace, tmp_path):
    """A store is known by its study's name, and by its input dataset."""
    workspace.config["subjects"] = {"include": ["01"]}
    workspace.snakemake()
    workspace.config["study"] = "second"
    assert "output dataset of study 'probe'" in workspace.snakemake(check=False).stderr
    workspace.config["study"] = "probe"
    workspace.config["container"] |= {"name": "second", "outputs": ["second"]}
    assert "output dataset of the app 'probe'" in workspace.snakemake(check=False).stderr
    workspace.config["container"] |= {"name": "probe", "outputs": ["probe"]}
    other = make_input(tmp_path / "other", {"01": [None]})
    workspace.config["datalad"]["input_repo"] = str(other)
    done = workspace.snakemake(check=False)
    assert done.returncode == 1
    assert "it is another dataset" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_work_dir_without_space(workspace):
    """A scratch disk smaller than the largest subject is refused."""
    disk = workspace.root / "small disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", "none", disk, cwd="/")
    try:
        workspace.config["common"]["work_dir"] = str(disk)
        done = workspace.snakemake(check=False)
    finally:
        run("umount", disk, cwd="/")
    assert done.returncode == 1
    assert "MB free" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder to another user")
def test_folders_of_another_user(workspace):
    """Git refuses other users' folders; the letter says how to trust them."""
    workspace.store.mkdir(parents=True)
    git("init", "-q", "--bare", cwd=workspace.store)
    run("chown", "-R", "nobody", workspace.store, cwd="/")
    done = workspace.snakemake(check=False)
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr
    assert "safe.directory" in done.stderr
