"""Studies to measure: a synthetic input, a trivial app, a store, all prepared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from measure import PYTHON, REPOSITORY, SCRIPTS, run_measured

APP = "bench"
INPUT_PATH = "sourcedata/raw"
JOB_SCRIPT = SCRIPTS / "run_job.py"

# Copies its subject's images: the least that leaves annexed results.
APP_SCRIPT = """\
mkdir -p "$2/sub-$5"
cp -L "$1/sub-$5/anat/"*.nii.gz "$2/sub-$5/"
"""


@dataclass(frozen=True)
class BenchStudy:
    """A study below `root`."""

    root: Path
    output_url: str

    @property
    def config(self) -> Path:
        """Its config file."""
        return self.root / "study.yaml"

    @property
    def image(self) -> Path:
        """The app."""
        return self.root / "app.sh"

    @property
    def results(self) -> Path:
        """Its records and clones."""
        return self.root / "results" / APP

    @property
    def dataset(self) -> Path:
        """The study dataset, which jobs clone."""
        return self.results / "dataset"

    @property
    def store(self) -> Path:
        """The output store, where it is a bare repository."""
        return Path(self.output_url)

    @property
    def scratch(self) -> Path:
        """Where jobs work."""
        return self.root / "scratch"

    @property
    def prepared(self) -> dict:
        """What jobs know of the prepared study."""
        return json.loads((self.results / "prepared.json").read_text())

    def snakemake(self, *args: str | Path) -> list[str | Path]:
        """A command that runs the study."""
        command = ["snakemake", "--snakefile", REPOSITORY / "Snakefile"]
        return [*command, "--directory", self.root, "--configfile", self.config, *args]

    def job(self, n: int) -> list[str | Path]:
        """The command that processes the n-th subject on a node, counted from one."""
        return self.call("unit", f"sub-{label(n)}")

    def batch(self, n: int) -> list[str | Path]:
        """The command that processes the n-th batch on a node, counted from one."""
        name = self.batches[n - 1]
        return [*self.call("batch", name), "--output", self.results / "batches" / f"{name}.json"]

    @cached_property
    def batches(self) -> list[str]:
        """The batches of the prepared study, which a start composes."""
        run_measured(self.snakemake("-n", "-q"), cwd=REPOSITORY)
        found = (self.results / "batches").glob("*.units.json")
        return sorted(path.name.removesuffix(".units.json") for path in found)

    def call(self, kind: str, name: str) -> list[str | Path]:
        """The command of a job on a node."""
        where = ["--directory", self.root, "--config", self.config, "--ended", self.root / "ended"]
        job = ["--kind", kind, "--name", name, "--log", self.root / "logs" / f"{name}.log"]
        return [PYTHON, JOB_SCRIPT, *where, *job]

    def library(self, code: str) -> list[str]:
        """A Python process that runs `code` with the `study` at hand."""
        start = (
            f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
            "from pathlib import Path\n"
            "from bidsloom.config import read_config, read_study\n"
            "from bidsloom.base.runners import set_up_environment\n"
            "set_up_environment()\n"
            f"study = read_study(read_config(Path({str(self.config)!r})))\n"
        )
        return [PYTHON, "-c", start + code]


def label(n: int) -> str:
    """The label of the n-th subject."""
    return f"{n:05}"


def make_study(
    root: Path,
    bids: Path,
    *,
    output_url: str = "",
    lock_file: str = "",
    units_per_job: int = 1,
    prepare: bool = True,
    image: Path | None = None,
) -> BenchStudy:
    """A study of a synthetic dataset, with a bare store unless told otherwise.

    The app is a shell script, or what an `image` holds.
    """
    study = BenchStudy(root, output_url or str(root / "store.git"))
    study.scratch.mkdir(parents=True)
    study.image.write_text(APP_SCRIPT)
    config = {
        "study": APP,
        "common": {"work_dir": str(study.scratch)},
        "datalad": {
            "input_repo": str(bids),
            "output_repos": [study.output_url],
            "lock_file": lock_file,
        },
        "hpc": {
            "mem": "1000M",
            "time": "00:10:00",
            "units_per_job": units_per_job,
            "check_node": False,
        },
        "container": {"name": APP, "image": str(image or study.image)},
    }
    if not image:
        config["container"] |= {"runtime": "none", "call_fmt": "sh {img} {cmd}"}
    study.config.write_text(yaml.safe_dump(config))
    if prepare:
        run_measured(
            study.snakemake("--cores", "1", "prepare_study", "list_subjects"), cwd=REPOSITORY
        )
    return study
