"""What `results/<study>/` holds: written and read back, also by another version."""

import json
from dataclasses import replace

import pytest
from bidsloom.base.errors import FailureClass, WorkflowFailure
from bidsloom.base.files import read_json, write_json
from bidsloom.config import read_study
from bidsloom.config.request import Request
from bidsloom.containers.runtimes import Runtime
from bidsloom.records.attempts import Attempt, add_attempt, read_attempts
from bidsloom.records.cancellations import note_cancellation, read_cancellation
from bidsloom.records.job_record import JobRecord, read_record, write_record
from bidsloom.records.merge_outcome import (
    MergeOutcome,
    read_merge_outcome,
    read_unmerged,
    write_merge_outcome,
)
from bidsloom.records.prepared import Prepared, read_prepared, require_prepared, write_prepared
from bidsloom.records.proof import Proof, ProofState, UnitProof, read_proof, write_proof
from bidsloom.records.running import Running, read_running, running_batches, write_running
from bidsloom.records.unit_state import UnitState

CONFIG = {
    "datalad": {"input_repo": "bids", "output_repos": ["store.git"]},
    "container": {"name": "app", "image": "app.sif"},
}
PREPARED = Prepared(
    dataset_id="id",
    bases={"": "b0", "other": "b1"},
    input_commit="i",
    further_commits={"pre": "f"},
    container_key="MD5E-s1--a",
    image="MD5E-s1--b",
    runtime=Runtime.APPTAINER,
    identity=("Ana", "ana@example.org"),
    lock_token="t",
    made_from="d",
)
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
FAILURE = WorkflowFailure(
    "It failed. Its last lines:\n    x",
    hint="mend it",
    failure_class=FailureClass.APP_ERROR,
    exit_code=0,
)
PROOF = Proof(
    start="2026-01-01T00:00:00+00:00",
    seed=5,
    main="m",
    units=(
        UnitProof(
            unit="sub-01",
            commit="c",
            state=ProofState.DIFFERS,
            files=4,
            changed=("a",),
            added=("b", "c"),
            seconds=1.5,
        ),
        UnitProof(unit="sub-02", commit="d", message="no brain", seconds=0.5),
    ),
)


@pytest.fixture
def study(tmp_path):
    """A study without any notes."""
    return read_study(CONFIG, base=tmp_path)


def edit(path, **changes) -> None:
    """Change keys of a JSON file; None removes one."""
    value = {**read_json(path), **changes}
    write_json(path, {name: each for name, each in value.items() if each is not None})


def test_prepared_study_is_read_as_it_was_written(study):
    write_prepared(study, PREPARED)
    assert PREPARED == read_prepared(study)


def test_prepared_study_of_another_version_is_read(study):
    """A key that this version does not know is ignored; one that it lacks is not known."""
    write_prepared(study, PREPARED)
    edit(study.files.prepared, later="x", identity=None, lock_token=None)
    assert replace(PREPARED, identity=(), lock_token=None) == read_prepared(study)


def test_study_that_is_not_prepared_is_refused_with_what_to_type(study):
    assert read_prepared(study) is None
    with pytest.raises(WorkflowFailure, match=r"prepared\.json is missing") as caught:
        require_prepared(study)
    assert "prepare_study" in caught.value.hint


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


def test_attempts_are_read_as_they_were_written(study):
    """The exit code 0 of an app that wrote nothing is kept."""
    first = Attempt.of("sub-01", FAILURE, host="node1", log=("a", "b"), requested=Request(1, 2, 3))
    second = Attempt.of("sub-01", FAILURE, end="2026-01-01T00:00:00+00:00", on_purpose=True)
    add_attempt(study, first)
    add_attempt(study, second)
    assert [first, second] == read_attempts(study, "sub-01")
    assert (0, "It failed.") == (first.exit_code, first.first_line)
    assert "2026-01-01T00:00:00+00:00" == second.end


def test_every_attempt_has_its_unit_class_and_end(study):
    """Whoever notes a failure, the same keys are there."""
    add_attempt(study, Attempt.of("sub-01", FAILURE))
    (told,) = json.loads(study.files.attempts("sub-01").read_text())
    assert {"unit", "end", "failure_class", "message", "hint", "exit_code"} == set(told)


def test_attempt_of_another_version_is_read(study):
    """A failure class of a later version is not known here; the attempt still counts."""
    old = {"failure_class": "timeout", "message": "late", "later": 1, "exit_code": None}
    write_json(study.files.attempts("sub-01"), [old, {"failure_class": "gone_fishing"}])
    assert [
        Attempt(unit="sub-01", failure_class=FailureClass.TIMEOUT, message="late"),
        Attempt(unit="sub-01"),
    ] == read_attempts(study, "sub-01")


def test_attempt_that_ends_again_keeps_what_it_recorded(study):
    """SLURM's cause replaces the job's own; where it ran stays."""
    own = Attempt.of("sub-01", FAILURE, host="node1")
    slurm = WorkflowFailure("killed", failure_class=FailureClass.TIMEOUT)
    again = own.ended(slurm, scheduler_state="TIMEOUT")
    assert ("node1", FailureClass.TIMEOUT, "killed") == (
        again.host,
        again.failure_class,
        again.message,
    )


def test_cancellation_says_who(study):
    assert read_cancellation(study, "sub-01") is None
    note_cancellation(study, "sub-01")
    note = read_cancellation(study, "sub-01")
    failure = note.as_failure("sub-01")
    assert (f"by {note.by}" in failure.message, FailureClass.CANCELLED) == (
        True,
        failure.failure_class,
    )


def test_merge_outcome_is_read_as_it_was_written(study):
    outcome = MergeOutcome("m", ("sub-02",), ("sub-01", "sub-02"), ("sub-04",), {"sub-03": "why"})
    write_merge_outcome(study, outcome)
    assert outcome == read_merge_outcome(study)
    assert {"sub-03": "why"} == read_unmerged(study)


def test_merge_outcome_of_another_version_is_read(study):
    assert MergeOutcome() == read_merge_outcome(study)
    write_json(study.files.merged, {"main": "m", "merged": ["sub-01"], "later": 1})
    assert MergeOutcome("m", merged=("sub-01",)) == read_merge_outcome(study)


def test_note_of_a_batch_is_read_as_it_was_written(study):
    running = Running("7", "sub-01", Request(2, 900, 3))
    write_running(study, "sub-01_x2_0", running)
    assert running == read_running(study, "sub-01_x2_0")
    write_json(study.files.batch_running("other"), {"unit": None, "later": 1})
    assert {"sub-01_x2_0": running, "other": Running()} == dict(running_batches(study))
    assert read_running(study, "gone") is None


def test_proof_is_read_as_it_was_written(study):
    write_proof(study, PROOF)
    assert PROOF == read_proof(study)
    edit(study.files.proof, later=1, main=None)
    assert replace(PROOF, main=None) == read_proof(study)
    assert False is read_json(study.files.proof)["identical"]


def test_a_state_is_text_with_a_kind():
    """Programs read its name; each state is troubled, at work, outside, or none of these."""
    assert '"failed"' == json.dumps(UnitState.FAILED)
    assert "failed" == f"{UnitState.FAILED}" == UnitState("failed")
    assert ["failed", "unmerged", "lost"] == [s for s in UnitState if s.is_troubled]
    assert ["running", "queued"] == [s for s in UnitState if s.is_at_work]
    assert ["excluded", "withdrawn"] == [s for s in UnitState if s.is_outside]
    assert list(UnitState) == sorted(UnitState, key=lambda state: state.order)


def test_request_of_a_job_that_nobody_knows():
    assert Request() == Request.from_json(None) == Request.from_json({"later": 1})
    assert Request(2, None, 30) == Request.of_job(2, {"runtime": 30})
