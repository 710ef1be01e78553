"""Folders of dead jobs, and who may take them."""

import os
import threading
import time

from bidsloom.job.scratch import is_alive, lock_folder


def test_a_folder_held_for_a_moment_is_waited_for(tmp_path):
    """A neighbour that looks at a dead job's folder does not make its owner seem alive."""
    held = lock_folder(tmp_path)
    assert lock_folder(tmp_path) is None
    threading.Timer(0.3, os.close, [held]).start()
    lock = lock_folder(tmp_path, patience=20)
    assert lock is not None
    start = time.monotonic()
    assert lock_folder(tmp_path, patience=0.2) is None
    assert time.monotonic() - start >= 0.2
    os.close(lock)


def test_folder_is_alive_while_its_lock_is_held(tmp_path):
    assert not is_alive(tmp_path)
    lock = lock_folder(tmp_path)
    assert is_alive(tmp_path)
    os.close(lock)
    assert not is_alive(tmp_path)
