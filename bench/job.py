"""Overhead of one job: everything but the app.

    python bench/job.py [--quick]

The same trivial app (three images, 1 MB) is run for one subject after the
other by a job of this workflow, by hand with git and git-annex alone ("plain",
the lower bound), and by one `datalad` process a step on a RIA store, as
FAIRly-big does ("datalad CLI").
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
from measure import Case, Table, interleave, ratio_of, run_alone, times
from study import APP, INPUT_PATH, BenchStudy, label, make_study
from synthetic import git, make_dataset, make_job_branches

# Units in one job, where they share it.
SHARED = 10

# What the steps below take from the shell's variables.
Settings = dict[str, str | Path]

PLAIN = """\
set -e
git ls-remote "$store" "refs/heads/job/$app/$unit"
mkdir -m 700 "$scratch/$unit" && cd "$scratch/$unit"
git clone -q --shared --no-checkout --no-tags -c annex.private=true -b base "$dataset" ds
cd ds
git annex init -q
git checkout -q -b "job/$app/$unit"
git clone -q --shared --no-checkout --no-tags -c annex.private=true "$bids" "$raw"
cd "$raw"
git sparse-checkout set --cone --sparse-index "$unit"
git checkout -q --detach
git annex init -q
git annex get -q "$unit"
cd - > /dev/null
sh "$image" "$raw" "$app" participant --participant-label "${unit#sub-}"
git annex add -q "$app"
git commit -q -m "$app $unit"
git annex initremote -q content --private type=directory encryption=none \\
    directory="$store/annex/objects"
git annex copy -q --to content "$app"
git push -q "$store" "HEAD:refs/heads/job/$app/$unit"
cd / && chmod -R u+w "$scratch/$unit" && rm -rf "$scratch/$unit"
"""

# To this git-annex the RIA store's special remote is unverified in every new
# clone; DataLad pushes nothing to it until that is confirmed.  In the environment,
# it costs no call of git.
VERIFIED = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "remote.output-storage.annex-verified",
    "GIT_CONFIG_VALUE_0": "verified",
}

DATALAD = """\
set -e
mkdir -m 700 "$scratch/$unit" && cd "$scratch/$unit"
datalad clone "$dataset" ds
cd ds
git remote add outputstore "$store"
git checkout -b "job/$app/$unit"
datalad get -n "$raw"
datalad containers-run -n "$app" --explicit -m "$app $unit" -i "$raw/$unit" -o "$app" \\
    "$raw" "$app" participant --participant-label "${unit#sub-}"
datalad push --to output-storage
flock "$scratch/lock" git push -q outputstore "job/$app/$unit"
git annex dead here
cd .. && datalad drop --what all --reckless kill --recursive --dataset ds
chmod -R u+w "$scratch/$unit" && rm -rf "$scratch/$unit"
"""


def settings_of(study: BenchStudy, bids: Path, store: Path) -> Settings:
    """What the steps of a job know of a prepared study."""
    return {
        "bids": bids,
        "dataset": study.dataset,
        "image": study.image,
        "scratch": study.scratch,
        "store": store,
    }


def script(text: str, settings: Settings, n: int) -> list[str]:
    """A shell's command that takes the steps in `text` for the n-th subject."""
    values = {"unit": f"sub-{label(n)}", "app": APP, "raw": INPUT_PATH, **settings, **VERIFIED}
    lines = [f"{name}='{value}'\n" for name, value in values.items()]
    return ["sh", "-c", "".join([*lines, f"export {' '.join(VERIFIED)}\n", text])]


def job_case(study: BenchStudy) -> Case:
    """Jobs of this workflow, one subject after the other."""
    return Case(lambda n: study.job(n + 1), study.root)


def measure_app(study: BenchStudy, bids: Path, repeats: int) -> float:
    """CPU seconds of the app by itself."""
    git("checkout", "-q", "-f", "main", cwd=bids)
    command = ["sh", study.image, bids, study.root / "out", "participant", "--participant-label"]
    app = Case(lambda n: [*command, label(n + 1)], study.root)
    interleave([app], repeats)
    return app.cpu


def one_of_a_batch(root: Path, repeats: int, app: float) -> tuple[float, Case, float]:
    """CPU s of a unit in a batch, the same steps by hand in turn with it, and the unit's wall s."""
    units = SHARED * (repeats + 1)
    bids = make_dataset(root / "bids-batch", units, files=3, content=units)
    shared = make_study(root / "shared", bids, units_per_job=SHARED)
    plain = make_study(root / "plain-meanwhile", bids)
    batch = Case(lambda n: shared.batch(n + 1), shared.root)
    beside = Case(lambda n: script(PLAIN, settings_of(plain, bids, plain.store), n + 1), plain.root)
    interleave([batch, beside], repeats)
    return batch.cpu / SHARED - app, beside, batch.wall / SHARED


def compare_references(root: Path, repeats: int) -> Table:
    """A job against the same steps by hand, and by DataLad's command line."""
    bids = make_dataset(root / "bids", repeats + 1, files=3, content=repeats + 1)
    ours = make_study(root / "ours", bids)
    plain = make_study(root / "plain", bids)
    ria = make_study(root / "datalad", bids, output_url=f"ria+file://{root}/ria#~{APP}")
    ria_store = root / "ria" / "alias" / APP
    cases = [
        job_case(ours),
        Case(lambda n: script(PLAIN, settings_of(plain, bids, plain.store), n + 1), plain.root),
        Case(lambda n: script(DATALAD, settings_of(ria, bids, ria_store), n + 1), ria.root),
    ]
    interleave(cases, repeats)
    app = measure_app(ours, bids, repeats)
    own, by_hand, by_datalad = (case.cpu - app for case in cases)
    each, beside, wall = one_of_a_batch(root, repeats, app)
    rows = [
        ["bidsloom", f"{own:.2f}", f"{cases[0].wall:.2f}", "", "", ""],
        ["plain git and git-annex", f"{by_hand:.2f}", f"{cases[1].wall:.2f}"]
        + ratio_of(own, by_hand, 1.3),
        [f"bidsloom, one of {SHARED} units in a job", f"{each:.2f}", f"{wall:.2f}", "", "", ""],
        ["plain git and git-annex, meanwhile", f"{beside.cpu - app:.2f}", f"{beside.wall:.2f}"]
        + ratio_of(each, beside.cpu - app, 1.0),
        ["datalad CLI, FAIRly-big's sequence", f"{by_datalad:.2f}", f"{cases[2].wall:.2f}"]
        + ratio_of(own, by_datalad, 1 / 4),
    ]
    return Table(
        "One job",
        ["", "CPU s without the app", "wall s", "bidsloom against it", "target", "met"],
        rows,
        f"Trivial app, three files, 1 MB; the app itself takes {app:.3f} CPU s. "
        f"Medians of {repeats}. A job is a Python process, its start and imports included; "
        "all run with compiled modules. "
        f"The plain commands themselves are {times(by_hand / by_datalad)} of datalad CLI: "
        "a job cannot take less, since git-annex' part of it is the same.",
    )


def compare_sizes(root: Path, repeats: int, subjects: int, branches: int) -> list[Table]:
    """A job where the input, or the output store, is large; and its memory there."""
    count = repeats + 2
    small_bids = make_dataset(root / "bids10", 10, files=12, sidecars=True, content=count)
    large_bids = make_dataset(root / "bidsN", subjects, files=12, sidecars=True, content=count)
    small = make_study(root / "small", small_bids)
    large = make_study(root / "large", large_bids)
    full = make_study(root / "full", small_bids)
    units = (f"sub-X{n:05}" for n in range(branches))
    make_job_branches(full.store, base=full.prepared["bases"][""], app=APP, units=units)
    cases = [job_case(study) for study in (small, large, full)]
    interleave(cases, repeats)
    app = measure_app(small, small_bids, repeats)
    seconds = [case.cpu - app for case in cases]
    names = ["10 subjects, empty store", f"{subjects:,} subjects, empty store"]
    names.append(f"10 subjects, {branches:,} unmerged job branches in the store")
    rows = [[names[0], f"{seconds[0]:.2f}", f"{cases[0].wall:.2f}", "", "", ""]]
    for name, own, case in zip(names[1:], seconds[1:], cases[1:], strict=True):
        rows.append(
            [name, f"{own:.2f}", f"{case.wall:.2f}", *ratio_of(own, seconds[0], 1.3)],
        )
    sizes = Table(
        "The same job in large studies",
        ["12 files a subject", "CPU s without the app", "wall s", "against the first"]
        + ["target", "met"],
        rows,
        f"Medians of {repeats}. The location logs of every file are there too.",
    )
    return [sizes, measure_memory([(names[0], small), (names[1], large)], cases, count)]


def measure_memory(studies: list[tuple[str, BenchStudy]], cases: list[Case], n: int) -> Table:
    """The largest process of a job, and all of its processes at one moment."""
    rows = []
    for (name, study), case in zip(studies, cases, strict=False):
        together = peak_of_tree(study.job(n), cwd=study.root)
        met = "yes" if max(case.peak_mb, together) < 300 else "no"
        rows.append([name, f"{case.peak_mb:.0f}", f"{together:.0f}", "under 300 MB", met])
    return Table(
        "Peak memory of a job's own processes",
        ["", "largest process (MB)", "all together (MB)", "target", "met"],
        rows,
        "All together: resident memory, looked at every 10 ms; shared pages count each time.",
    )


def peak_of_tree(command: list, *, cwd: Path) -> float:
    """Largest sum of the resident memory of a command's processes, in MB."""
    process = psutil.Popen(
        [str(word) for word in command],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory_of_tree(process))
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return peak / 2**20


def memory_of_tree(process: psutil.Popen) -> int:
    """Resident bytes of a process and its children now."""
    total = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    repeats = 3 if quick else 7
    subjects, branches = (2_000, 500) if quick else (50_000, 10_000)
    return [
        compare_references(root / "references", repeats),
        *compare_sizes(root / "sizes", repeats, subjects, branches),
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
