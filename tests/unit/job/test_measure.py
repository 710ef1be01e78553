"""What a job takes, looked at from outside with real processes."""

import subprocess
import sys

from bidsloom.job.measure import MemoryWatch, children_cpu, content_size, tree_memory, used_space
from helpers.waiting import wait_for

HOG = "ballast = bytearray(b'x') * (80 * 2**20); print(flush=True); input()"
BURN = "import time\nwhile time.process_time() < 0.5: pass"


def test_memory_of_all_processes_together():
    """Two programs of 80 MB are 160 MB, and what they share with others is not counted twice."""
    own = tree_memory()
    with MemoryWatch() as watch:
        hogs = [
            subprocess.Popen(
                [sys.executable, "-S", "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        for hog in hogs:
            hog.stdout.readline()
        wait_for(lambda: watch.peak_mb >= own + 160)
        for hog in hogs:
            hog.communicate(b"\n")
    assert watch.peak_mb < own + 240


def test_cpu_time_of_programs_that_ended():
    before = children_cpu()
    subprocess.run([sys.executable, "-S", "-c", BURN], check=True)
    assert 0.5 <= children_cpu() - before < 2


def test_space_of_a_folder(tmp_path):
    """Blocks on disk of all files, links as links; content of what links point to."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(b"x" * 8192)
    (tmp_path / "a" / "two").write_bytes(b"x" * 4096)
    (tmp_path / "link").symlink_to("a/b/one")
    (tmp_path / "broken").symlink_to("nowhere")
    assert 8192 + 4096 <= used_space(tmp_path) < 8192 + 4096 + 16384
    assert 8192 * 2 == content_size(tmp_path / p for p in ("link", "a/b/one", "broken"))
    assert 0 == used_space(tmp_path / "nowhere")
