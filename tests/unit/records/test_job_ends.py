"""Notes of jobs that came to their end."""

import os

from bidsloom.records.job_ends import OLD, JobEnd, remove_ends, take_ends, write_end


def test_each_end_is_read_once(tmp_path):
    folder = tmp_path / "ended" / "run"
    assert [] == list(take_ends(folder))
    write_end(folder, "12_3", JobEnd("sub-01", 2, 0))
    write_end(folder, "13", JobEnd("sub-02", 1, 1))
    ends = {"12_3": JobEnd("sub-01", 2, 0), "13": JobEnd("sub-02", 1, 1)}
    assert ends == dict(take_ends(folder))
    assert [] == list(take_ends(folder))


def test_note_that_cannot_be_written_is_no_failure(tmp_path):
    """The result is there all the same, and SLURM is asked."""
    (tmp_path / "ended").touch()
    write_end(tmp_path / "ended", "1", JobEnd("sub-01", 1, 0))
    assert (tmp_path / "ended").is_file()


def test_notes_of_killed_runs_go_later(tmp_path):
    for run in ("mine", "other", "old"):
        write_end(tmp_path / "ended" / run, "1", JobEnd())
    past = (tmp_path / "ended" / "old").stat().st_mtime - 2 * OLD
    os.utime(tmp_path / "ended" / "old", (past, past))
    remove_ends(tmp_path / "ended" / "mine")
    assert ["other"] == [path.name for path in (tmp_path / "ended").iterdir()]
