"""A store of a group, used by two of its members."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.studies import REPOSITORY, STATUS_SCRIPT, Workspace, git, make_workspace, run

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as two users")

AS_USER = REPOSITORY / "tests" / "containers" / "as_user.sh"
# Numbers that no account has.
GROUP, ANNE, BERT = 54400, 54401, 54402


def open_path(path: Path) -> None:
    """Let everybody enter the temporary folders that lead to a path."""
    for folder in (path, *path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o055)


@pytest.fixture
def members(tmp_path, input_dataset):
    """A study of each of two members, who share only the group's folder, and a umask."""
    open_path(tmp_path)
    open_path(input_dataset)
    shared = tmp_path / "group"
    shared.mkdir()
    os.chown(shared, 0, GROUP)
    shared.chmod(0o2770)
    # Part of the app's command line, which is the same for all.
    switches = shared / "switches"
    switches.mkdir()
    switches.chmod(0o2770)

    def make(user: int, umask: str, subjects: list[str], store: str, **datalad) -> Workspace:
        workspace = make_workspace(tmp_path / f"of {user}", input_dataset)
        workspace.config["datalad"] |= {"output_repos": [store], **datalad}
        workspace.config["subjects"] = {"include": subjects}
        workspace.config["container"]["bids_args"] = {"switches": str(switches)}
        run("chown", "-R", f"{user}:{user}", workspace.root, cwd="/")
        # The input is root's.
        trusted = [f"'safe.directory={path}'" for path in (input_dataset, input_dataset / ".git")]
        variables = {
            "AS_USER_ID": user,
            "AS_USER_GROUP": GROUP,
            "GIT_CONFIG_PARAMETERS": " ".join(trusted),
        }
        readable = (str(REPOSITORY), sys.base_prefix)
        workspace.prefix = (
            *("env", *(f"{name}={value}" for name, value in variables.items())),
            *("bash", str(AS_USER), *readable, "--"),
            *("sh", "-c", f'umask {umask}; exec "$@"', "as-user"),
        )
        return workspace

    return shared, make


def problems(store: Path) -> list[str]:
    """Folders of a repository in which only their owner can write."""
    found = []
    for folder, names, _ in os.walk(store.resolve()):
        # A key's own folder and file are never changed.
        names[:] = [name for name in names if "--" not in name]
        state = os.stat(folder)
        if state.st_gid != GROUP or not state.st_mode & stat.S_IWGRP:
            found.append(f"{folder} {stat.filemode(state.st_mode)} {state.st_gid}")
    return found


def runs(shared: Path) -> list[str]:
    """Labels of the subjects the app ran for, one each time."""
    return sorted(path.name.split("-")[1] for path in (shared / "switches").glob("ran-*"))


def status(workspace: Workspace) -> subprocess.CompletedProcess:
    """What the script says to a member."""
    command = ("python", STATUS_SCRIPT, "--config", workspace.root / "study.yaml")
    return run(*workspace.prefix, *command, cwd=workspace.root, check=False)


@pytest.mark.parametrize(
    ("umask", "kind"),
    [
        ("077", "bare"),
        ("022", "ria"),
        pytest.param("022", "bare", marks=pytest.mark.more),
        pytest.param("077", "ria", marks=pytest.mark.more),
    ],
)
def test_each_member_runs_the_study(members, kind, umask):
    """What one member started, the other one continues, whatever their umask."""
    shared, make = members
    store = shared / "store.git"
    url = str(store)
    if kind == "ria":
        url, store = f"ria+file://{shared}/ria#~probe", shared / "ria" / "alias" / "probe"
    anne = make(ANNE, umask, ["01"], url, shared="group")
    anne.snakemake()
    assert [] == problems(store)
    bert = make(BERT, umask, [], url, shared="group")
    bert.snakemake()
    assert ["01", "02", "03"] == runs(shared), "a result of another member counts"
    assert [] == problems(store)
    # And back: a changed study of the first one replaces what the second one made.
    anne.config["subjects"] = {"include": ["01", "02"]}
    anne.config["container"]["bids_args"]["note"] = "again"
    anne.snakemake()
    assert ["01", "01", "02", "02", "03"] == runs(shared)
    assert [] == problems(store)
    assert 0 == status(anne).returncode, status(anne)


def test_a_store_that_is_made_for_a_group(members):
    """The key is not needed where the store itself says that it is a group's."""
    shared, make = members
    store = shared / "store.git"
    git("init", "-q", "--bare", "--shared=group", "-b", "main", store, cwd=shared)
    run("chgrp", "-R", str(GROUP), store, cwd=shared)
    anne, bert = (make(user, "022", [n], str(store)) for user, n in ((ANNE, "01"), (BERT, "02")))
    for member in (anne, bert):
        member.snakemake()
    assert ["01", "02"] == runs(shared)
    assert [] == problems(store)
    assert 0 == status(bert).returncode
