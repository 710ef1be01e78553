"""Locks, and the lock files that dead processes left."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.checks.lock_file import state_of_lock
from bidsloom.datasets.locks import exclusive, locked, wait_for_stores
from bidsloom.datasets.pushes import STALE_LOCK_SECONDS


def test_lock_is_held_inside_only(tmp_path):
    lock = tmp_path / "new folder" / "lock"
    assert "absent" == state_of_lock(lock)
    with locked(lock) as waited:
        assert waited < 5
        assert "held" == state_of_lock(lock)
    assert "free" == state_of_lock(lock)


def test_second_holder_waits_for_the_first(tmp_path):
    lock, order = tmp_path / "lock", []

    def second():
        with locked(lock):
            order.append("second")

    with ThreadPoolExecutor() as pool:
        with locked(lock):
            waiting = pool.submit(second)
            order.append("first")
        waiting.result(timeout=60)
    assert ["first", "second"] == order


def test_no_path_is_no_lock():
    with locked(None) as waited:
        assert 0.0 == waited


def test_lock_file_that_cannot_be_opened_names_its_key(tmp_path):
    with pytest.raises(WorkflowFailure, match="cannot be opened") as failed, locked(tmp_path):
        pass
    assert "datalad.lock_file" in failed.value.hint


@pytest.fixture
def study(tmp_path):
    """A study with a further input, a pattern of them, a further output and two mounted stores."""
    return SimpleNamespace(
        output_content=(),
        name="probe",
        group_store=False,
        results=tmp_path,
        files=SimpleNamespace(clones_lock=tmp_path / "clones.lock"),
        dataset=tmp_path / "dataset",
        output_url=str(tmp_path / "store.git"),
        input=tmp_path / "input",
        containers=tmp_path / "containers",
        further_inputs=[
            SimpleNamespace(clone=tmp_path / "further", is_pattern=False),
            SimpleNamespace(clone=tmp_path / "prep", is_pattern=True),
        ],
        further_outputs=[
            SimpleNamespace(path="fs", dataset=tmp_path / "fs", url=str(tmp_path / "fs.git"))
        ],
    )


OWN = ("dataset", "fs", "input", "containers", "further", "prep/sub-01")


def leave_locks(root: Path, *, age: float = 0) -> dict[str, Path]:
    """A lock file of each kind in each repository of a study, and in one that is not the study's."""
    left = {}
    for name in (*(f"{own}/.git" for own in OWN), "other/.git", "store.git", "fs.git"):
        for path in ("config.lock", "refs/heads/main.lock", "annex/index.lock"):
            lock = root / name / path
            lock.parent.mkdir(parents=True, exist_ok=True)
            lock.touch()
            os.utime(lock, (time.time() - age, time.time() - age))
            left[f"{name}/{path}"] = lock
    return left


def names_of_locked(left: dict[str, Path]) -> set[str]:
    return {name.partition("/")[0] for name, lock in left.items() if lock.exists()}


def test_lock_files_of_dead_processes_are_removed(study, tmp_path):
    """In the study's own clones at once; in a store, which others write to, once they are old."""
    left = leave_locks(tmp_path)
    with exclusive(study):
        assert {"other", "store.git", "fs.git"} == names_of_locked(left)
    left = leave_locks(tmp_path, age=2 * STALE_LOCK_SECONDS)
    with exclusive(study):
        assert {"other"} == names_of_locked(left)


def test_lock_of_a_living_process_in_a_store_is_waited_for(study, tmp_path):
    lock = tmp_path / "store.git" / "packed-refs.lock"
    lock.parent.mkdir()
    lock.touch()
    threading.Timer(0.5, lock.unlink).start()
    start = time.monotonic()
    wait_for_stores(study)
    assert not lock.exists() and time.monotonic() - start < STALE_LOCK_SECONDS


def test_files_that_only_look_like_locks_stay(study, tmp_path):
    """The content of a file `Pipfile.lock` has that ending in git-annex, too."""
    key = "MD5E-s1--0.lock"
    content = tmp_path / "input" / ".git" / "annex" / "objects" / "a" / key / key
    content.parent.mkdir(parents=True)
    content.touch()
    with exclusive(study):
        assert content.exists()
