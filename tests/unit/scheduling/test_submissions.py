"""Which jobs are submitted together, and when."""

from bidsloom.scheduling.submissions import (
    BURST,
    LEAST_TASKS,
    PATIENCE,
    RATE,
    Pace,
    is_gathered,
    split_in_arrays,
)


def test_jobs_by_themselves_do_not_wait():
    """With arrays turned off nothing is gathered."""
    assert is_gathered(1, 0.0, most=1, waiting=100)


def test_no_node_idles_for_want_of_a_job():
    """Without jobs in the queue a moment is all that is waited for, whatever their number."""
    assert not is_gathered(3, 0.1, most=1000, waiting=0)
    assert is_gathered(3, 0.6, most=1000, waiting=0)


def test_jobs_wait_for_others_while_the_queue_is_full():
    """One freed place in the queue is no array; sixteen are, and nothing waits for ever."""
    assert not is_gathered(LEAST_TASKS - 1, 5.0, most=1000, waiting=80)
    assert is_gathered(LEAST_TASKS, 5.0, most=1000, waiting=80)
    assert is_gathered(1, PATIENCE, most=1000, waiting=80)
    assert is_gathered(1000, 0.0, most=1000, waiting=80)


def test_arrays_have_the_size_of_the_site():
    """What is too few for an array has a comment of its own each."""
    jobs = list(range(40))
    assert [16, 16] + [1] * 8 == [len(part) for part in split_in_arrays(jobs, most=16)]
    assert [40] == [len(part) for part in split_in_arrays(jobs, most=1000)]
    assert [1] * 12 == [len(part) for part in split_in_arrays(jobs[:12], most=1000)]
    assert [4, 4, 4] == [len(part) for part in split_in_arrays(jobs[:12], most=4)]
    assert jobs == [job for part in split_in_arrays(jobs, most=7) for job in part]


def test_submissions_have_a_pace():
    """The first ones go at once, those after them a few a second."""
    now = [100.0]
    pace = Pace(clock=lambda: now[0])
    assert BURST == sum(pace.allows() for _ in range(2 * BURST))
    now[0] += 10
    assert 10 * RATE == sum(pace.allows() for _ in range(2 * BURST))
