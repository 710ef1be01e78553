"""The record of a result: written and read back, also by another version."""

import os
from dataclasses import replace

import pytest
from bidsloom.base.files import read_json, write_json
from bidsloom.config.request import Request
from bidsloom.records.job_record import JobRecord, list_newer, read_record, write_record

RECORD = JobRecord(
    unit="sub-01",
    branch="job/app/sub-01",
    fingerprint="input=1",
    start="2026-01-01T00:00:00+00:00",
    end="2026-01-01T01:00:00+00:00",
    host="node1",
    scheduler_job_id="7",
    attempt=2,
    requested=Request(2, 900, 30),
    seconds={"run": 9.0},
    peak={"tree_mb": 80.0},
    cpu_seconds=8.5,
    output={"files": 2, "bytes": 10},
    commit="c",
    reused=True,
)


def test_record_is_read_as_it_was_written(study):
    write_record(study, RECORD)
    assert RECORD == read_record(study, "sub-01")
    assert read_record(study, "sub-02") is None


def test_record_keeps_the_names_that_others_read(study):
    """Requests go by Snakemake's names; nothing that is not known is written."""
    write_record(study, JobRecord(unit="sub-01", commit="c", requested=Request(2, minutes=30)))
    told = {"unit": "sub-01", "commit": "c", "fingerprint": ""}
    told["requested"] = {"threads": 2, "runtime": 30}
    assert told == read_json(study.files.record("sub-01"))


def test_record_of_another_version_is_read(study):
    """The first version wrote null for what it did not know, and no CPU time."""
    write_record(study, RECORD)
    path = study.files.record("sub-01")
    value = {**read_json(path), "later": {}, "scheduler_job_id": None}
    del value["cpu_seconds"], value["requested"]
    write_json(path, value)
    expected = replace(RECORD, scheduler_job_id=None, cpu_seconds=None, requested=Request())
    assert expected == read_record(study, "sub-01")


@pytest.mark.parametrize("text", ["", "[]", '{"unit": "sub-'])
def test_broken_record_is_none(study, text):
    path = study.files.record("sub-01")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_record(study, "sub-01") is None


def test_records_that_a_merge_did_not_see(study):
    """Only those of the units asked for; none where nothing was merged, or nothing is done."""
    merged = study.files.all_merged
    assert [] == list_newer(study, ["sub-01"], merged)
    merged.parent.mkdir(parents=True, exist_ok=True)
    merged.touch()
    assert [] == list_newer(study, [], merged)
    for unit, later in {"sub-01": -5, "sub-02": 5, "sub-03": 5}.items():
        write_record(study, replace(RECORD, unit=unit))
        when = merged.stat().st_mtime + later
        os.utime(study.files.record(unit), (when, when))
    assert [study.files.record("sub-02")] == list_newer(study, ["sub-01", "sub-02"], merged)
