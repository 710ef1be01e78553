"""What jobs ask for."""

from bidsloom.config.request import Request


def test_request_of_a_job_that_nobody_knows():
    assert Request() == Request.from_json(None) == Request.from_json({"later": 1})
    assert Request(2, None, 30) == Request.of_job(2, {"runtime": 30})
