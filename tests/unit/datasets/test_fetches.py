"""A clone that was brought up to its store has what the store has, and nothing else."""

import dataclasses

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.datasets import fetches
from bidsloom.datasets.fetches import fetch_output
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.stores import REMOTE, store_at
from helpers.studies import git


@pytest.mark.parametrize("mounted", [True, False])
def test_branches_fetched_a_part_at_a_time(tmp_path, monkeypatch, mounted):
    """The clone ends with the refs that the store has: new, moved and removed ones."""
    monkeypatch.setattr(fetches, "BRANCHES_PER_FETCH", 2)
    monkeypatch.setattr(fetches, "FEW_BRANCHES", 3)
    store, work = tmp_path / "store.git", tmp_path / "work"
    git("init", "-q", "--bare", store, cwd=tmp_path)
    git("clone", "-q", store, work, cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "base", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/main", cwd=work)
    dataset = tmp_path / "dataset"
    git("clone", "-q", "--origin", REMOTE, store, dataset, cwd=tmp_path)
    output = OutputDataset("", dataset, store_at(str(store), name="x"))
    if not mounted:
        remote = dataclasses.replace(output.store, repository=None, url=f"file://{store}")
        output = dataclasses.replace(output, store=remote)
    for state in ("first", "second"):
        for number in range(7):
            git("commit", "-q", "--amend", "--allow-empty", "-m", f"{state} {number}", cwd=work)
            git("push", "-q", "--force", store, f"HEAD:refs/heads/job/app/sub-{number}", cwd=work)
        if state == "second":
            git("push", "-q", store, ":refs/heads/job/app/sub-3", cwd=work)
        fetch_output(output)
        listed = git(
            "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads", cwd=store
        )
        there = git(
            *(
                "for-each-ref",
                "--format=%(refname:lstrip=3) %(objectname)",
                f"refs/remotes/{REMOTE}/main",
            ),
            f"refs/remotes/{REMOTE}/job",
            cwd=dataset,
        )
        assert sorted(listed.splitlines()) == sorted(there.splitlines())
    git("fsck", "--connectivity-only", cwd=dataset)


def test_a_store_that_lost_an_object_gives_no_branch(tmp_path, monkeypatch):
    monkeypatch.setattr(fetches, "FEW_BRANCHES", 0)
    store, work, dataset = tmp_path / "store.git", tmp_path / "work", tmp_path / "dataset"
    git("init", "-q", "--bare", store, cwd=tmp_path)
    git("clone", "-q", store, work, cwd=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "base", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/main", cwd=work)
    git("clone", "-q", "--origin", REMOTE, store, dataset, cwd=tmp_path)
    (work / "file").write_text("content")
    git("add", "file", cwd=work)
    git("commit", "-q", "-m", "result", cwd=work)
    git("push", "-q", store, "HEAD:refs/heads/job/app/sub-1", cwd=work)
    blob = git("rev-parse", "HEAD:file", cwd=work)
    (store / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(WorkflowFailure, match="cannot be read") as failed:
        fetch_output(OutputDataset("", dataset, store_at(str(store), name="x")))
    assert failed.value.failure_class is FailureClass.STORE_UNAVAILABLE
    assert not git("for-each-ref", f"refs/remotes/{REMOTE}/job", cwd=dataset)
