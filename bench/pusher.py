"""One of many jobs that push at once; started by `push.py`.

    python bench/pusher.py CONFIG UNIT FOLDER [plain]

Makes a job's clone with a result in FOLDER, says so by a file `ready`, waits
for the file `go` beside FOLDER, pushes, and writes its seconds to `pushed`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from measure import SCRIPTS

sys.path.insert(0, str(SCRIPTS))

from bidsloom.base.runners import call_annex, call_git, set_up_environment
from bidsloom.config import read_config, read_study
from bidsloom.datasets.branches import FINGERPRINT_TRAILER, UNIT_TRAILER
from bidsloom.job.clone_steps import clone_steps
from bidsloom.job.process import push_result, work
from bidsloom.job.unit_job import Job
from bidsloom.records.prepared import require_prepared
from bidsloom.units.unit_tables import read_unit


def write_result(job: Job, clone: Path) -> str:
    """Two annexed files and one in git, committed; gives the commit."""
    work(job, (step for step in clone_steps(job, clone) if step.name == "clone"))
    folder = clone / job.study.container.name / job.unit.name
    folder.mkdir(parents=True)
    (folder / "facts.json").write_text(json.dumps({"unit": job.unit.name}))
    for name in ("a.dat", "b.dat"):
        (folder / name).write_text(f"{name} of {job.unit.name}\n" * 1000)
    call_annex(["add", "-q", "."], cwd=clone)
    trailers = f"{UNIT_TRAILER}: {job.unit.name}\n{FINGERPRINT_TRAILER}: {job.fingerprint}"
    call_git(["commit", "-q", "-m", f"bench\n\n{trailers}"], cwd=clone)
    return call_git(["rev-parse", "HEAD"], cwd=clone)


def push_plainly(job: Job, clone: Path) -> None:
    """`git annex copy` to the store itself, and `git push`."""
    call_git(["remote", "add", "store", job.store.git_url], cwd=clone)
    call_annex(["copy", "-q", "--to", "store", "--", "."], cwd=clone)
    call_git(["push", "-q", "store", f"HEAD:refs/heads/{job.branch}"], cwd=clone)


def main() -> None:
    """The command line."""
    config, unit, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    set_up_environment()
    study = read_study(read_config(config))
    prepared = require_prepared(study)
    job = Job(study, read_unit(study, unit), prepared)
    folder.mkdir()
    clone = folder / "dataset"
    commit = write_result(job, clone)
    (folder / "ready").touch()
    while not (folder.parent / "go").exists():
        time.sleep(0.02)
    start = time.monotonic()
    if "plain" in sys.argv[4:]:
        push_plainly(job, clone)
    else:
        push_result(job, clone, commit)
    (folder / "pushed").write_text(str(time.monotonic() - start))


if __name__ == "__main__":
    main()
