"""The merge by itself: location logs, branches that move, merges that are killed."""

import json
import os
import shutil
import signal

import pytest
from bidsloom.base import runners
from bidsloom.config import Study, read_study
from bidsloom.datasets import locations
from bidsloom.datasets import pushes as pushes_module
from bidsloom.merge import merge, publish, remove_branches
from bidsloom.merge.merge import merge_branches
from helpers.studies import git, make_workspace, run

ELSEWHERE = "5f1d1ab2-6e1c-4a5e-9d57-00000000000e"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, input_dataset):
    """A study whose three jobs are done and not merged, with a copy to go back to."""
    workspace = make_workspace(tmp_path_factory.mktemp("merge") / "study", input_dataset)
    jobs = [f"results/probe/jobs/sub-{label}.json" for label in ("01", "02", "03")]
    workspace.snakemake("--cores", "2", *jobs)
    run("cp", "-a", workspace.root, f"{workspace.root}.done", cwd=workspace.root)
    return workspace


@pytest.fixture
def unmerged(finished):
    """That study as its jobs left it, at the same place for every test."""
    go_back(finished)
    return finished


def go_back(workspace) -> None:
    """Undo whatever was done to a study since its jobs ended."""
    run("chmod", "-R", "u+w", workspace.root, cwd="/")
    shutil.rmtree(workspace.root)
    run("cp", "-a", f"{workspace.root}.done", workspace.root, cwd="/")


def study_of(workspace) -> Study:
    return read_study(workspace.config, base=workspace.root)


def heads(store) -> str:
    """Every branch of the store with its commit."""
    return git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", cwd=store)


def keys_of(workspace, unit: str) -> list[str]:
    """Annex keys that a unit's job branch adds."""
    lines = git("ls-tree", "-r", f"job/probe/{unit}", "probe/", cwd=workspace.store).splitlines()
    links = [line.split()[2] for line in lines if line.startswith("120000")]
    targets = [git("cat-file", "-p", link, cwd=workspace.store) for link in links]
    return [target.rpartition("/")[2] for target in targets]


def holders(clone) -> dict[str, set[str]]:
    """Key -> UUIDs of the repositories that hold it, as git-annex says in a clone."""
    lines = git("annex", "whereis", "--json", "probe", cwd=clone).splitlines()
    found = [json.loads(line) for line in lines]
    return {w["key"]: {place["uuid"] for place in w["whereis"]} for w in found}


def check_merged(workspace, tree: str) -> None:
    """All three units are in main, no job branch is left, a fresh clone gets every file."""
    assert tree == workspace.tree()
    assert ["base", "git-annex", "main"] == workspace.branches()
    refs = git("for-each-ref", "refs/remotes/output/job", cwd=study_of(workspace).dataset)
    assert "" == refs
    shutil.rmtree(workspace.root / "a clone", ignore_errors=True)
    clone = workspace.clone()
    uuid = git("config", "annex.uuid", cwd=workspace.store)
    assert all(uuid in places for places in holders(clone).values())
    git("annex", "fsck", "--quiet", "--fast", "--from", "origin", "probe", cwd=clone)
    git("annex", "get", "--quiet", "probe", cwd=clone)
    run("chmod", "-R", "u+w", clone, cwd=workspace.root)
    shutil.rmtree(clone)


def test_location_logs_keep_what_was_known(unmerged, undisturbed_tree):
    """A key that lies elsewhere too, or was said to be gone from the store, is listed right."""
    key, *_ = keys_of(unmerged, "sub-02")
    uuid = git("config", "annex.uuid", cwd=unmerged.store)
    git("annex", "setpresentkey", key, ELSEWHERE, "1", cwd=unmerged.store)
    git("annex", "setpresentkey", key, uuid, "0", cwd=unmerged.store)
    git("annex", "merge", "--quiet", cwd=unmerged.store)
    merge_branches(study_of(unmerged))
    assert {uuid, ELSEWHERE} == holders(unmerged.clone())[key]
    shutil.rmtree(unmerged.root / "a clone")
    check_merged(unmerged, undisturbed_tree)
    # And in the study dataset, after git-annex wrote something of its own there.
    dataset = study_of(unmerged).dataset
    other = keys_of_main(unmerged)
    git("annex", "setpresentkey", next(iter(other - {key})), ELSEWHERE, "1", cwd=dataset)
    git("annex", "merge", "--quiet", cwd=dataset)
    for known in other:
        assert uuid in git("annex", "whereis", "--key", known, cwd=dataset)


def keys_of_main(workspace) -> set[str]:
    """Annex keys of all that is merged."""
    clone = workspace.clone("for keys")
    keys = set(holders(clone))
    shutil.rmtree(clone)
    return keys


def test_location_logs_outlive_a_crash_before_git_annex_looks(unmerged):
    """git-annex takes in a branch that was moved behind its back, then adds to it."""
    dataset = study_of(unmerged).dataset
    keys = {key for unit in ("sub-01", "sub-02") for key in keys_of(unmerged, unit)}
    locations.record_presence(dataset, locations.LogPaths(keys), ELSEWHERE)
    git("annex", "setpresentkey", keys_of(unmerged, "sub-03")[0], ELSEWHERE, "1", cwd=dataset)
    git("annex", "merge", "--quiet", cwd=dataset)
    for key in keys | {keys_of(unmerged, "sub-03")[0]}:
        log = git("show", f"git-annex:{locations.log_path(key)}", cwd=dataset)
        assert log.endswith(f"s 1 {ELSEWHERE}")


def test_store_that_writes_its_own_logs_meanwhile(unmerged, undisturbed_tree, monkeypatch):
    """A rejected push takes in what the store wrote, and loses neither side's lines."""
    key, *_ = keys_of(unmerged, "sub-01")
    made_up = "MD5E-s5--00000000000000000000000000000000.txt"
    pushes = []

    def interfere(output, branch, commit, **options):
        if not pushes:
            git("annex", "setpresentkey", key, ELSEWHERE, "1", cwd=unmerged.store)
            git("annex", "setpresentkey", made_up, ELSEWHERE, "1", cwd=unmerged.store)
            git("annex", "merge", "--quiet", cwd=unmerged.store)
        pushes.append(branch)
        push_branch(output, branch, commit, **options)

    push_branch = pushes_module.push_branch
    monkeypatch.setattr(pushes_module, "push_branch", interfere)
    merge_branches(study_of(unmerged))
    assert 2 == len(pushes)
    uuid = git("config", "annex.uuid", cwd=unmerged.store)
    clone = unmerged.clone()
    assert {uuid, ELSEWHERE} == holders(clone)[key]
    path = f"origin/git-annex:{locations.log_path(made_up)}"
    assert ELSEWHERE in git("show", path, cwd=clone)
    shutil.rmtree(clone)
    check_merged(unmerged, undisturbed_tree)


@pytest.mark.parametrize("moment", ["before tidying", "in the midst of it"])
def test_branch_that_a_job_replaced_meanwhile_stays(unmerged, monkeypatch, moment):
    """The newer result is for the next merge; the others' branches are removed."""
    ref = "refs/heads/job/probe/sub-02"
    message = git("log", "-1", "--format=%B", ref, cwd=unmerged.store)
    newer = message.replace("Bidsloom-Fingerprint: ", "Bidsloom-Fingerprint: newer=1 ")
    base = git("rev-parse", f"{ref}^", cwd=unmerged.store)
    commit = git("commit-tree", f"{ref}^{{tree}}", "-p", base, "-m", newer, cwd=unmerged.store)
    module, name = (
        (remove_branches, "unmoved") if moment == "in the midst of it" else (merge, "publish")
    )
    original = getattr(module, name)
    record = study_of(unmerged).files.record("sub-02")

    def replace(*args, **kwargs):
        found = original(*args, **kwargs)
        git("update-ref", ref, commit, cwd=unmerged.store)
        # That of the older result was set aside before the job began.
        record.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(module, name, replace)
    merge_branches(study_of(unmerged))
    monkeypatch.undo()
    assert ["base", "git-annex", "job/probe/sub-02", "main"] == unmerged.branches()
    assert ("sub-02",) == merge_branches(study_of(unmerged)).merged_now
    assert ["base", "git-annex", "main"] == unmerged.branches()


def test_second_merge_writes_nothing(unmerged, monkeypatch):
    """With nothing new, no branch moves and git-annex is not started."""
    study = study_of(unmerged)
    first = merge_branches(study)
    before = heads(unmerged.store)
    for name in ("push_branch", "push_refs", "publish_locations"):
        monkeypatch.setattr(publish, name, None)
    monkeypatch.setattr(merge, "remove_branches", None)
    second = merge_branches(study)
    assert before == heads(unmerged.store)
    assert (first.main, (), first.merged) == (
        second.main,
        second.merged_now,
        second.merged,
    )


def test_killed_between_any_two_commands(unmerged, undisturbed_tree):
    """Whichever git command was the last before SIGKILL, the next merge ends the same."""
    killed, at = True, 0
    while killed:
        go_back(unmerged)
        killed = merge_until(study_of(unmerged), at)
        if killed:
            merge_branches(study_of(unmerged))
        check_merged(unmerged, undisturbed_tree)
        # Every command would take minutes; a third of them meets every step.
        at += 3
    assert at > 15


def merge_until(study, last: int) -> bool:
    """Merge in a process that kills itself instead of starting one more program; true if it did."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    start, count = runners.subprocess.run, iter(range(last))

    def run_or_die(*args, **kwargs):
        if next(count, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return start(*args, **kwargs)

    runners.subprocess.run = run_or_die
    try:
        merge_branches(study)
    finally:
        os._exit(0)
