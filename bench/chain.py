"""A chain of three studies: what its start takes, beside that of one study.

    python bench/chain.py [--quick]

Nothing is done yet, so each unit of each study is due.  The reference is one
study of the same subjects, measured in the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from measure import REPOSITORY, Table, Usage, run_alone, run_measured
from slurm_job import met
from study import BenchStudy, make_study
from synthetic import make_dataset

STEPS = ("one", "two", "three")


@dataclass(frozen=True)
class BenchChain:
    """A chain below `root`."""

    root: Path

    def snakemake(self, *args: str) -> list[str | Path]:
        """A command that runs the chain."""
        command = ["snakemake", "--snakefile", REPOSITORY / "Snakefile", "--directory", self.root]
        return [*command, "--configfile", self.root / "chain.yaml", *args]


def make_chain(root: Path, study: BenchStudy) -> BenchChain:
    """Three studies as that one, each of which reads the one before."""
    root.mkdir()
    before = ""
    for name in STEPS:
        config = yaml.safe_load(study.config.read_text())
        config["study"] = name
        config["datalad"]["output_repos"] = [str(root / f"{name}.git")]
        if before:
            config["datalad"]["inputs"] = [{"study": before}]
        (root / f"{name}.yaml").write_text(yaml.safe_dump(config))
        before = name
    files = [f"{name}.yaml" for name in STEPS]
    (root / "chain.yaml").write_text(yaml.safe_dump({"studies": files}))
    return BenchChain(root)


def tables(root: Path, quick: bool) -> list[Table]:
    """All tables of this benchmark."""
    units = 100 if quick else 1_000
    study = make_study(root / "study", make_dataset(root / "b", units))
    chain = make_chain(root / "chain", study)
    # The first start lists the units.
    run_measured(chain.snakemake("-n", "-q", "rules"), cwd=REPOSITORY)
    alone = run_measured(study.snakemake("-n", "-q", "rules"), cwd=REPOSITORY)
    three = run_measured(chain.snakemake("-n", "-q", "rules"), cwd=REPOSITORY)
    return [
        Table(
            "A start of a chain",
            ["`snakemake -n`", "CPU s", "MB", "target", "met"],
            [
                [*row(f"one study, {units:,} units", alone), "", ""],
                row(f"three studies, {units:,} units each", three)
                + ["under 15 s", met(three.cpu, 15)],
            ],
            "One run each, the list of units being cached.",
        )
    ]


def row(name: str, used: Usage) -> list[str]:
    """The first cells of a row."""
    return [name, f"{used.cpu:.1f}", f"{used.peak_mb:.0f}"]


if __name__ == "__main__":
    run_alone(tables, __doc__)
