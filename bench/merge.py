"""Merging job branches: verified, with location logs, published.

    python bench/merge.py [--quick]

Each branch holds a few files, two of them annexed with their content in the
store; or 300, of which 100 are annexed, each branch in a pack of its own.
The reference merges with git's octopus strategy in chunks of 1,000,
lets `git annex fsck` look for every file in the store and write the location
logs, and pushes.
"""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

from measure import Table, Usage, ratio_of, run_alone, run_measured, times
from study import APP, BenchStudy, make_study
from synthetic import git, make_dataset, make_job_branches

# Of a branch: in git (an HTML page and a description come on top), and annexed.
PLAIN, ANNEXED, FILES = 198, 100, 300
DIGEST = """
from bidsloom.units.completeness import expects_digest
print(expects_digest(study.container))
"""
MERGE = """
from bidsloom.merge.merge import merge_branches
merged = merge_branches(study)
assert not merged.unmerged, merged.unmerged
assert len(merged.merged) == {branches}
"""

# git-annex comes after the merge: its filter, started once for every branch,
# would make the reference nine times slower.
OCTOPUS = """\
set -e
git clone -q "$store" octopus && cd octopus
git for-each-ref --format='%(refname)' "refs/remotes/origin/job/$app" |
    xargs -n 1000 git merge -q -m 'Merge units'
git annex init -q
git annex fsck --fast --quiet --from origin
git annex merge --quiet
git push -q origin main git-annex
"""


def make_full_study(
    root: Path, bids: Path, branches: int, plain: int = 4, annexed: int = 2
) -> BenchStudy:
    """A prepared study whose store holds unmerged job branches."""
    study = make_study(root, bids)
    units = [f"sub-X{n:05}" for n in range(branches)]
    base = study.prepared["bases"][""]
    digest = subprocess.run(study.library(DIGEST), check=True, capture_output=True, text=True)
    make_job_branches(
        study.store,
        base=base,
        app=APP,
        units=units,
        plain=plain,
        annexed=annexed,
        expects=digest.stdout.strip(),
    )
    for repository in (study.store, study.dataset):
        # git would start it by itself, in the background, where nothing counts it.
        git("config", "gc.auto", "0", cwd=repository)
    return study


def merge_once(root: Path, bids: Path, branches: int, **files: int) -> Usage:
    """One merge of everything in a new store."""
    study = make_full_study(root, bids, branches, **files)
    return run_measured(study.library(MERGE.format(branches=branches)), cwd=study.root)


def merge_by_octopus(root: Path, bids: Path, branches: int) -> Usage:
    """The reference, in another new store."""
    study = make_full_study(root, bids, branches)
    settings = f"store='{study.store}'\napp='{APP}'\n"
    return run_measured(["sh", "-c", settings + OCTOPUS], cwd=study.root)


def merge_many_files(root: Path, bids: Path, sizes: list[int]) -> Table:
    """Merges of units with as many files as fMRIPrep leaves."""
    rows = []
    for n in sizes:
        used = merge_once(root / f"files-{n}", bids, n, plain=PLAIN, annexed=ANNEXED)
        remove(root / f"files-{n}")
        per_file = used.cpu / n / FILES * 1e6
        met = "yes" if per_file <= 40 and used.peak_mb < 500 else "no"
        rows.append(
            [f"{n:,}", f"{n * FILES:,}", f"{used.cpu:.1f}", f"{per_file:.0f}"]
            + [f"{used.peak_mb:.0f}", f"{used.wall:.0f}", "at most 40 µs, under 500 MB", met]
        )
    return Table(
        f"Merge of branches of {FILES} files",
        ["branches", "files", "CPU s", "CPU µs a file", "largest process (MB)", "wall s"]
        + ["target", "met"],
        rows,
        f"One run each, in a new store; {ANNEXED} files of a branch are annexed, and each branch "
        "is a pack, as jobs push it. git's own cleaning up, which a push to the store starts in "
        "the background, is turned off.",
    )


def remove(folder: Path) -> None:
    """Remove a folder, with its read-only folders."""
    subprocess.run(["chmod", "-R", "u+w", folder], check=False)
    subprocess.run(["rm", "-rf", folder], check=False)


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    bids = make_dataset(root / "bids", 3)
    sizes, chunk = ([200, 1_000], 200) if quick else ([1_000, 5_000, 10_000], 1_000)
    found = {n: merge_once(root / f"merge-{n}", bids, n) for n in sizes}
    cpu = {n: usage.cpu for n, usage in found.items()}
    octopus = merge_by_octopus(root / "octopus", bids, chunk).cpu
    exponent = math.log(cpu[sizes[-1]] / cpu[sizes[0]]) / math.log(sizes[-1] / sizes[0])
    rows = [
        [f"{n:,}", f"{used.cpu:.2f}", f"{1000 * used.cpu / n:.2f}", f"{used.peak_mb:.0f}"]
        + [f"{used.wall:.1f}"]
        for n, used in found.items()
    ]
    middle = sizes[1]
    bound = octopus * middle / chunk
    grown = times(cpu[sizes[-1]] / cpu[sizes[0]])
    against = [
        [f"octopus, {chunk:,} branches (measured)", f"{octopus:.1f}", "", "", ""],
        [f"octopus, {middle:,} branches (at least)", f"{bound:.1f}"]
        + ratio_of(cpu[middle], bound, 1 / 20),
        [f"{sizes[-1]:,} against {sizes[0]:,} branches", "", grown]
        + ["linear", "yes" if exponent < 1.1 else f"no, n^{exponent:.2f}"],
    ]
    return [
        Table(
            "Merge of job branches",
            ["branches", "CPU s", "CPU ms a branch", "largest process (MB)", "wall s"],
            rows,
            "One run each, in a new store.",
        ),
        Table(
            "Merge against octopus merges",
            ["", "CPU s", "bidsloom against it", "target", "met"],
            against,
            f"The reference was measured once, with a single chunk of {chunk:,} branches; "
            "larger numbers are that many chunks, a lower bound, since each further chunk "
            "merges into a larger tree.",
        ),
        merge_many_files(root, bids, [100, 200] if quick else [500, 1_000, 2_000, 10_000]),
    ]


if __name__ == "__main__":
    run_alone(tables, __doc__)
