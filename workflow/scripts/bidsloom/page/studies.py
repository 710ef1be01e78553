"""Which studies a page serves: one by its config file, or all in a folder."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import ConfigFailure, WorkflowFailure
from ..config import Study, read_config, read_study
from ..prepare.study_folder import make_study
from .memory import stamp
from .runs import DEFAULT_CONFIG, Runs

# What a new study may be called; it becomes a folder.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass
class Served:
    """A study that is served: `folder` is the one in which Snakemake runs."""

    id: str
    folder: Path
    config: Path
    runs: Runs = field(init=False)
    _study: Study | None = field(default=None, init=False)
    _faults: list[WorkflowFailure] = field(default_factory=list, init=False)
    _read: object = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.runs = Runs(self.folder, self.config)

    def study(self) -> Study:
        """The study as its config file is now.  Raises `ConfigFailure`."""
        with self._lock:
            now = stamp(self.config)
            if now != self._read:
                self._read, self._faults = now, []
                try:
                    self._study = read_study(read_config(self.config), base=self.folder)
                except ConfigFailure as e:
                    self._faults = e.problems
            if self._faults or self._study is None:
                raise ConfigFailure(self._faults)
            return self._study

    def last_study(self) -> Study | None:
        """The study as it was read last, whatever its config file has become."""
        return self._study


class Studies:
    """All studies of a page; those in the folder `root` are looked for at each question."""

    def __init__(self, *, config: Path | None = None, root: Path | None = None) -> None:
        self.root = root and root.resolve()
        self._known: dict[str, Served] = {}
        self._lock = threading.Lock()
        if config is not None:
            path = config.absolute()
            self._add(Path.cwd(), path)

    def all(self) -> list[Served]:
        """The studies, by name."""
        with self._lock:
            if self.root:
                there = {path.parents[1] for path in self.root.glob(f"*/{DEFAULT_CONFIG}")}
                if (self.root / DEFAULT_CONFIG).exists():
                    there.add(self.root)
                known = {served.folder: name for name, served in self._known.items()}
                for folder in sorted(there - known.keys()):
                    self._add(folder, folder / DEFAULT_CONFIG)
                for folder in known.keys() - there:
                    del self._known[known[folder]]
            return [self._known[name] for name in sorted(self._known)]

    def find(self, name: str) -> Served | None:
        """A study by its id."""
        return self._known.get(name) or next((s for s in self.all() if s.id == name), None)

    def make(self, name: str, app: str | None) -> Served:
        """A new study in the folder of studies."""
        if self.root is None:
            raise WorkflowFailure(
                "This page serves one study, and has no folder for a new one.",
                hint="start it as bidsloom page --studies DIR.",
            )
        if not NAME.fullmatch(name):
            raise WorkflowFailure(
                f"{name!r} cannot be the name of a study.",
                hint="use letters, digits, '.', '-' and '_'.",
            )
        folder = self.root / name
        make_study(folder, app=app)
        return next(served for served in self.all() if served.folder == folder)

    def _add(self, folder: Path, config: Path) -> None:
        """Serve a study under an id that no other one has."""
        word = re.sub(r"[^A-Za-z0-9_-]", "-", folder.name) or "study"
        name, number = word, 2
        while name in self._known:
            name, number = f"{word}-{number}", number + 1
        self._known[name] = Served(name, folder, config)
