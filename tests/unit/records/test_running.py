"""The note of a batch."""

from bidsloom.base.files import write_json
from bidsloom.config.request import Request
from bidsloom.records.running import Running, read_running, running_batches, write_running


def test_note_of_a_batch_is_read_as_it_was_written(study):
    running = Running("7", "sub-01", Request(2, 900, 3))
    write_running(study, "sub-01_x2_0", running)
    assert running == read_running(study, "sub-01_x2_0")
    write_json(study.files.batch_running("other"), {"unit": None, "later": 1})
    assert {"sub-01_x2_0": running, "other": Running()} == dict(running_batches(study))
    assert read_running(study, "gone") is None
