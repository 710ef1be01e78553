"""Locks, and the lock files that dead processes left."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.checks.lock_file import state_of_lock
from bidsloom.datasets.locks import exclusive, locked


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


def test_lock_files_of_dead_processes_are_removed(tmp_path):
    """In the study's own clones alone, and only by the process that holds them."""
    clones = {name: tmp_path / name for name in ("dataset", "input", "further", "other")}
    left: dict[str, Path] = {}
    for name, clone in clones.items():
        left[name] = clone / ".git" / "refs" / "main.lock"
        left[name].parent.mkdir(parents=True)
        left[name].touch()
    study = SimpleNamespace(
        results=tmp_path,
        files=SimpleNamespace(clones_lock=tmp_path / "clones.lock"),
        dataset=clones["dataset"],
        input=clones["input"],
        further_inputs=[SimpleNamespace(clone=clones["further"])],
    )
    with exclusive(study):
        assert ["other"] == [name for name, lock in left.items() if lock.exists()]
