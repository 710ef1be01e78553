"""Finding the subjects: first listing, dry run, and pybids' BIDSLayout.

    python bench/listing.py [--quick]

BIDSLayout indexes a checked-out tree; it is measured at two sizes and
extrapolated linearly, which favours it if anything.
"""

from __future__ import annotations

from pathlib import Path

from measure import PYTHON, REPOSITORY, Case, Table, Usage, interleave, ratio_of, run_alone
from study import BenchStudy, make_study
from synthetic import git, make_dataset, make_superdataset

LIST_UNITS = """
from bidsloom.config.study import Selection
from bidsloom.units.listing import list_units
units = list_units(
    Path({bids!r}), "refs/heads/main", by_session=False, selection=Selection(), source="bench"
)
assert len(units.units) == {subjects}, len(units.units)
"""

LAYOUT = """
from bids import BIDSLayout
subjects = BIDSLayout({bids!r}, validate=True).get_subjects()
assert len(subjects) == {subjects}, len(subjects)
"""

FILES = 12
# CPU seconds for the list of 50,000 subjects that are datasets, none of them looked into.
DATASETS_TARGET = 30


def make_bids(root: Path, subjects: int, *, checkout: bool = False) -> Path:
    """A dataset; checked out for what can only read a work tree."""
    bids = make_dataset(root, subjects, files=FILES, sidecars=True)
    if checkout:
        git("checkout", "-q", "-f", "main", cwd=bids)
    return bids


def layout_case(bids: Path, subjects: int) -> Case:
    """BIDSLayout over a work tree."""
    code = LAYOUT.format(bids=str(bids), subjects=subjects)
    return Case(lambda _: [PYTHON, "-c", code], REPOSITORY)


def listing_case(study: BenchStudy, bids: Path, subjects: int) -> Case:
    """The first listing of a dataset's units."""
    code = LIST_UNITS.format(bids=str(bids), subjects=subjects)
    return Case(lambda _: study.library(code), REPOSITORY)


def extrapolate(sizes: tuple[int, int], values: tuple[float, float], size: int) -> float:
    """The value at a size, on the line through two measured ones."""
    slope = (values[1] - values[0]) / (sizes[1] - sizes[0])
    return values[1] + slope * (size - sizes[1])


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    small, (dry, large), repeats = ((50, 100), (500, 2_000), 1) if quick else (
        (200, 500), (10_000, 50_000), 3
    )  # fmt: skip
    layouts = [layout_case(make_bids(root / f"tree-{n}", n, checkout=True), n) for n in small]
    dry_bids, large_bids = make_bids(root / "dry", dry), make_bids(root / "large", large)
    study = make_study(root / "study", dry_bids)
    dry_run = Case(lambda _: study.snakemake("-n", "-q", "rules"), REPOSITORY)
    listings = [listing_case(study, dry_bids, dry), listing_case(study, large_bids, large)]
    apart = listing_case(study, make_superdataset(root / "apart", large), large)
    interleave([*layouts, *listings, apart, dry_run], repeats)
    guesses = {
        n: Usage(
            cpu=extrapolate(small, (layouts[0].cpu, layouts[1].cpu), n),
            wall=extrapolate(small, (layouts[0].wall, layouts[1].wall), n),
            peak_mb=extrapolate(small, (layouts[0].peak_mb, layouts[1].peak_mb), n),
        )
        for n in (dry, large)
    }
    rows = [
        *(usage_row(f"BIDSLayout, {n:,}", case) for n, case in zip(small, layouts, strict=True)),
        *(usage_row(f"BIDSLayout, {n:,}, extrapolated", guess) for n, guess in guesses.items()),
        usage_row(f"first listing, {dry:,}", listings[0]),
        usage_row(f"first listing, {large:,}", listings[1])
        + ratio_of(listings[1].cpu, guesses[large].cpu, 1 / 20),
        [
            *usage_row(f"first listing, {large:,} subjects that are datasets", apart),
            "",
            f"at most {DATASETS_TARGET} s",
            "yes" if apart.cpu <= DATASETS_TARGET else "no",
        ],
        usage_row(f"snakemake -n, {dry:,}, list cached", dry_run)
        + ratio_of(dry_run.cpu, guesses[dry].cpu, 1 / 10),
    ]
    return [
        Table(
            "Finding the subjects",
            ["subjects", "CPU s", "largest process (MB)", "against BIDSLayout", "target", "met"],
            [row + [""] * (6 - len(row)) for row in rows],
            f"{FILES} files a subject. Medians of {repeats}. BIDSLayout with `get_subjects()`, "
            f"measured at {small[0]} and {small[1]} subjects; beyond that a straight line.",
        )
    ]


def usage_row(name: str, used: Case | Usage) -> list[str]:
    """The first cells of a row."""
    return [name, f"{used.cpu:.1f}", f"{used.peak_mb:.0f}"]


if __name__ == "__main__":
    run_alone(tables, __doc__)
