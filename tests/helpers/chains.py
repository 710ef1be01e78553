"""Chains of studies by the probe app, as a user runs them."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .studies import REPOSITORY, Workspace, git, make_workspace, run


@dataclass
class ChainStudy(Workspace):
    """A study of a chain."""

    name: str = "first"

    @property
    def results(self):
        return self.root / "results" / self.name

    @property
    def store(self):
        return self.root / "out put" / f"{self.name}.git"

    @property
    def switches(self):
        return self.root / f"switches-{self.name}"

    def write_config(self) -> Path:
        path = self.root / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(self.config, sort_keys=False))
        return path

    def report_of(self, unit: str) -> dict:
        """What the app saw of a unit, by main of the store."""
        path = f"main:{self.name}/{unit.replace('_', '/', 1)}/{unit}_desc-probe.json"
        return json.loads(git("show", path, cwd=self.store))

    def ledger(self) -> list[str]:
        """Units that main holds."""
        log = git("log", "--format=%(trailers:key=Bidsloom-Unit,valueonly)", "main", cwd=self.store)
        return sorted(set(log.split()))


@dataclass
class ChainSpace:
    """A folder in which a user runs a chain; `studies` are its steps, in order."""

    root: Path
    studies: dict[str, ChainStudy] = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    plain: dict = field(default_factory=dict)

    def add(self, name: str, input_dataset: Path, *reads: str, **config) -> ChainStudy:
        """Add a study that reads the results of some others."""
        if not self.studies:
            self.plain = make_workspace(self.root, input_dataset).config
        made = ChainStudy(self.root, copy.deepcopy(self.plain), name=name)
        made.switches.mkdir()
        made.config["study"] = name
        made.config["datalad"]["output_repos"] = [f"out put/{name}.git"]
        if reads:
            made.config["datalad"]["inputs"] = [
                {"study": other, "flag": "--derivatives"} for other in reads
            ]
        made.config["container"]["outputs"] = [name]
        made.config["container"]["bids_args"] = {"switches": str(made.switches)}
        made.config |= config
        self.studies[name] = made
        return made

    def write_config(self) -> Path:
        files = [study.write_config().name for study in self.studies.values()]
        path = self.root / "chain.yaml"
        path.write_text(yaml.safe_dump({"studies": files, **self.extra}, sort_keys=False))
        return path

    def command(self, *args) -> list[str]:
        return [
            *("snakemake", "--snakefile", str(REPOSITORY / "Snakefile")),
            *("--directory", str(self.root), "--configfile", str(self.write_config())),
            *map(str, args or ("--cores", "2")),
        ]

    def snakemake(self, *args, check=True, **kwargs):
        return run(*self.command(*args), cwd=self.root, check=check, **kwargs)
