"""Studies whose processes die at chosen moments, and are started again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from .studies import PROBE_APP, REPOSITORY, git, make_input

ZYGOTE = Path(__file__).with_name("zygote.py")
# $KILLS is a folder with the number of calls so far, and with the number of the
# call that kills the session which it belongs to, once.  Some milliseconds
# after the program was started, if that is asked for, else before.
WRAPPER = """\
#!/bin/bash
if [ -n "$KILLS" ]; then
  exec 9>>"$KILLS/lock"
  flock 9
  n=$(($(cat "$KILLS/count") + 1))
  echo $n > "$KILLS/count"
  exec 9>&-
  if [ "$n" = "$(cat "$KILLS/at")" ]; then
    echo "$0 $*" > "$KILLS/killed"
    read -ra stat < "/proc/$$/stat"
    if [ -s "$KILLS/delay" ]; then
      { sleep "$(cat "$KILLS/delay")"; kill -9 -- "-${stat[5]}"; } &
    else
      kill -9 -- "-${stat[5]}"
    fi
  fi
fi
exec PROGRAM "$@"
"""
# Kinds of study, by what they add to the base configuration.
VARIANTS: dict[str, dict] = {
    "bare": {},
    "ria": {"datalad": {"output_repos": ["ria+file://{root}/ria#~probe"]}},
    "outputs": {
        "container": {
            "outputs": ["probe", {"path": "surfaces", "repo": "{root}/surfaces.git"}],
            "bids_args": {"fs-subjects-dir": "surfaces"},
        }
    },
    "batches": {"hpc": {"units_per_job": 2}},
    "archive": {"container": {"archive": True}},
    "sessions": {"subjects": {"processing_level": "session"}},
    "lock_file": {"datalad": {"lock_file": "{root}/lock"}},
}


def joined(base: dict, more: Mapping) -> dict:
    """A configuration with further keys, which go before its own."""
    result = dict(base)
    for key, value in more.items():
        own = result.get(key)
        result[key] = joined(own, value) if isinstance(own, dict) else value
    return result


def filled(value: object, root: Path) -> object:
    """A configuration with the study's folder in its paths."""
    if isinstance(value, dict):
        return {key: filled(each, root) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, root) for each in value]
    return value.replace("{root}", str(root)) if isinstance(value, str) else value


@dataclass
class Runner:
    """Starts runs of studies by way of one process that has all imports."""

    wrappers: Path
    process: subprocess.Popen

    def run(self, study: MortalStudy, phases: list[str], *, kills: Path | None = None) -> int:
        """Run phases of a study; returns the exit code, negative for a signal."""
        order = {
            "cwd": str(study.root),
            "config": str(study.config),
            "phases": phases,
            "output": str(study.output),
            "env": {"KILLS": str(kills or "")},
        }
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the process that starts runs ended with {self.process.wait()}"
        return int(answer)


@contextlib.contextmanager
def start_runner(root: Path) -> Iterator[Runner]:
    """A process that runs studies, in which `git` and `git-annex` are wrapped."""
    root.mkdir()
    for name in ("git", "git-annex"):
        wrapper = root / name
        wrapper.write_text(WRAPPER.replace("PROGRAM", f"'{shutil.which(name)}'"))
        wrapper.chmod(0o755)
    paths = [REPOSITORY / "workflow" / "scripts", REPOSITORY / "tests"]
    env = {
        **os.environ,
        "PATH": f"{root}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }
    command = [sys.executable, str(ZYGOTE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True
    ) as process:
        yield Runner(root, process)
        process.stdin.close()


@dataclass
class MortalStudy:
    """A study of one kind in a folder that can be put back to an earlier state."""

    root: Path
    variant: str
    runner: Runner

    @property
    def config(self) -> Path:
        return self.root / "study.yaml"

    @property
    def output(self) -> Path:
        return self.root.with_name(f"{self.root.name}.out")

    @property
    def saved(self) -> Path:
        return self.root.with_name(f"{self.root.name} saved")

    @property
    def stores(self) -> list[Path]:
        found = [self.root / "ria" / "alias" / "probe", self.root / "store.git"]
        found += [self.root / "surfaces.git"]
        return [store for store in found if store.exists()]

    def save(self) -> None:
        """Remember the folder as it is."""
        remove(self.saved)
        shutil.copytree(self.root, self.saved, symlinks=True)

    def restore(self) -> None:
        """Put the folder back to the state that was remembered."""
        remove(self.root)
        shutil.copytree(self.saved, self.root, symlinks=True)

    def run(self, *phases: str, kills: Path | None = None) -> int:
        """Run phases; without any, all of them."""
        self.output.unlink(missing_ok=True)
        return self.runner.run(self, list(phases or ("prepare", "process", "merge")), kills=kills)

    def outcome(self) -> list[str]:
        """Everything that is published: all files of main, and all branches, of each store."""
        told = []
        for store in self.stores:
            told += git("ls-tree", "-r", "main", cwd=store.resolve()).splitlines()
            told += git("for-each-ref", "--format=%(refname)", cwd=store.resolve()).splitlines()
        # Links to subdatasets, and what names paths and commits, differ from run to run.
        return sorted(line for line in told if not line.startswith("160000") and "\t." not in line)

    def held(self) -> list[str]:
        """Annexed content that the stores hold."""
        folders = [store.resolve() / "annex" / "objects" for store in self.stores]
        return sorted(p.name for folder in folders for p in folder.rglob("*") if p.is_file())

    def left_over(self) -> list[str]:
        """What dead jobs left in the scratch space."""
        return [p.name for p in (self.root / "scratch").glob("bidsloom-*")]

    def said(self) -> str:
        """What the last run printed, and the logs of its units."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""


def remove(folder: Path) -> None:
    """Remove a folder with read-only content."""
    if folder.exists():
        for place, _, _ in os.walk(folder):
            Path(place).chmod(0o700)
        shutil.rmtree(folder)


def make_study(
    root: Path, variant: str, runner: Runner, units: Mapping | None = None
) -> MortalStudy:
    """A study of a kind, with a small input dataset of its own."""
    root.mkdir(parents=True)
    sessions = ["a", "b"] if variant == "sessions" else [None]
    source = root.parent / f"{root.name} input"
    make_input(source, units or {"01": sessions, "02": sessions})
    (root / "scratch").mkdir()
    (root / "switches").mkdir()
    base = {
        "study": "probe",
        "common": {"work_dir": "scratch"},
        "datalad": {"input_repo": str(source), "output_repos": ["store.git"]},
        "container": {
            "name": "probe",
            "image": str(PROBE_APP),
            "runtime": "none",
            "call_fmt": "python3 -I {img} {cmd}",
            "outputs": ["probe"],
            "bids_args": {"switches": str(root / "switches")},
        },
    }
    config = joined(base, filled(VARIANTS[variant], root))
    (root / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return MortalStudy(root, variant, runner)


def set_kill(kills: Path, at: int, *, delay: float | None = None) -> Path:
    """Kill at a call from now on; 0 for never."""
    kills.mkdir(exist_ok=True)
    (kills / "count").write_text("0\n")
    (kills / "at").write_text(f"{at}\n")
    (kills / "delay").write_text("" if delay is None else f"{delay:.4f}\n")
    (kills / "killed").unlink(missing_ok=True)
    return kills


def calls(kills: Path) -> int:
    """How many calls there were."""
    return int((kills / "count").read_text())


def is_killed(kills: Path) -> bool:
    """True where the call came that kills."""
    return (kills / "killed").exists()
