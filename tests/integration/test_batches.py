"""Several units in one job (`hpc.units_per_job`)."""

import psutil
import pytest
from helpers.studies import make_input, make_workspace
from helpers.waiting import exit_code, kill, wait_for

LABELS = ["01", "02", "03", "04", "05"]


@pytest.fixture(scope="module")
def five_subjects(tmp_path_factory):
    """Five subjects: two batches of two, and one alone."""
    root = tmp_path_factory.mktemp("five") / "bids"
    return make_input(root, {label: [None] for label in LABELS})


@pytest.fixture
def batched(tmp_path, five_subjects):
    """A study of five subjects, two in a job."""
    workspace = make_workspace(tmp_path / "my study", five_subjects)
    workspace.config["hpc"] = {"units_per_job": 2}
    return workspace


@pytest.fixture(scope="module")
def single_tree(tmp_path_factory, five_subjects):
    """The merged tree of the five subjects, each in a job of its own."""
    workspace = make_workspace(tmp_path_factory.mktemp("single") / "study", five_subjects)
    workspace.snakemake()
    return workspace.tree()


def test_batches_end_in_the_same_tree(batched, single_tree):
    """Every unit is named before, has its log and record after, and is not due again."""
    listed = batched.snakemake("-n").stdout
    for line in ("Process sub-01, sub-02", "Process sub-03, sub-04", "Process sub-05"):
        assert line in listed
    batched.snakemake()
    assert single_tree == batched.tree()
    assert LABELS == batched.runs()
    for label in LABELS:
        assert (
            f"sub-{label} sees ['sub-{label}']"
            in (batched.results / "logs" / f"sub-{label}.log").read_text()
        )
        record = batched.record(f"sub-{label}")
        assert record["unit"] == f"sub-{label}"
    # However many go into a job the next time.
    for size in (2, 3, 1):
        batched.config["hpc"]["units_per_job"] = size
        assert "Nothing to be done" in batched.snakemake().stderr
    assert list(batched.scratch.iterdir()) == []


def test_failed_unit_holds_up_no_neighbour(batched, single_tree):
    """Its neighbour is done and merged; the next run tries it alone."""
    (batched.switches / "fail-01").write_text("7")
    done = batched.snakemake(check=False)
    assert done.returncode != 0
    assert "1 of the 2 units of batch sub-01_x2_" in done.stderr
    assert "app_error: probe failed for sub-01 with exit code 7" in done.stderr
    assert "Traceback" not in done.stderr
    assert [a["exit_code"] for a in batched.attempts("sub-01")] == [7]
    assert "sub-02.html" in batched.tree() and "sub-01.html" not in batched.tree()
    (batched.switches / "fail-01").unlink()
    again = batched.snakemake()
    assert "Process sub-01: failed before (app_error)\n" in again.stderr
    assert sorted([*LABELS, "01"]) == batched.runs()
    assert single_tree == batched.tree()


def test_retry_leaves_out_what_is_done_or_hopeless(batched, single_tree):
    """An app's own error is tried once more, without the neighbours; then it is enough."""
    (batched.switches / "fail-02").write_text("7")
    done = batched.snakemake("--cores", "2", "--retries", "3", check=False)
    assert done.returncode != 0
    assert sorted([*LABELS, "02"]) == batched.runs()
    (batched.switches / "fail-02").unlink()
    batched.snakemake()
    assert single_tree == batched.tree()


def test_killed_in_the_middle_of_a_batch(batched, single_tree):
    """SIGKILL while the second unit is at work: the first one is not computed again."""
    batched.config["hpc"]["units_per_job"] = 5
    (batched.switches / "slow-02").write_text("60")
    process = batched.start()
    wait_for(lambda: "02" in batched.runs())
    assert (batched.results / "jobs" / "sub-01.json").exists()
    kill(process)
    (batched.switches / "slow-02").unlink()
    batched.snakemake("--cores", "2", "--nolock")
    assert sorted([*LABELS, "02"]) == batched.runs()
    assert single_tree == batched.tree()
    assert list(batched.scratch.iterdir()) == []


def test_cancelled_batch_ends_at_once(batched):
    """SIGTERM ends the unit at work, and none is begun after it; no clone is left."""
    batched.config["hpc"]["units_per_job"] = 5
    (batched.switches / "slow-02").write_text("3600")
    process = batched.start()
    wait_for(lambda: "02" in batched.runs())
    (job,) = (
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "python" in child.cmdline()[0]
        and child.cmdline()[-1].endswith("process_batch.py")
        and not child.parent().cmdline()[-1].endswith("process_batch.py")
    )
    job.terminate()
    assert exit_code(process, 30) != 0
    assert ["01", "02"] == batched.runs()
    assert ["cancelled"] == [a["failure_class"] for a in batched.attempts("sub-02")]
    assert "sub-01.html" in batched.tree()
    assert list(batched.scratch.iterdir()) == []


def test_another_study_makes_other_batches(batched):
    """A changed argument makes every unit due, and a changed mind none; old notes are gone.

    Where a run ends between the jobs and the merge, the next one merges what
    the last merge did not see, also of units that are merged already.
    """
    batched.snakemake()
    before = batched.tree()
    batched.config["container"]["bids_args"]["note"] = "another"
    assert "Process sub-01, sub-02" in batched.snakemake("-n").stdout
    batched.config["container"]["bids_args"].pop("note")
    assert "Nothing to be done" in batched.snakemake().stderr
    assert [] == list(batched.results.glob("batches/*.units.json"))
    batched.config["container"]["bids_args"]["note"] = "another"
    batched.snakemake("-n")
    notes = [note.name.partition(".")[0] for note in batched.results.glob("batches/*.units.json")]
    assert 2 == len(notes)
    folder = batched.results.relative_to(batched.root)
    records = [*(f"batches/{note}.json" for note in notes), "jobs/sub-05.json"]
    batched.snakemake("--cores", "2", "--", *(str(folder / record) for record in records))
    assert sorted(LABELS * 2) == batched.runs()
    assert before == batched.tree()
    assert "Merge the job branches" in batched.snakemake().stderr
    assert before != batched.tree()
    assert "Nothing to be done" in batched.snakemake().stderr
    assert sorted(LABELS * 2) == batched.runs()
