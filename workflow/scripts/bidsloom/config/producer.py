"""What a study knows of another one whose results it reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .results_folder import ResultsFolder


@dataclass(frozen=True)
class Producer:
    """Another study, whose results are an input.

    `store` is its output store, whose branches announce results of `app`;
    `output` is the output folder that is read, a dataset of its own where
    `apart`.  With `group` its group level's result is read, too; with
    `session_folders` each session lies in a folder of its own there.
    """

    name: str
    results: Path
    app: str
    store: str
    output: str
    apart: bool = False
    by_session: bool = False
    group: bool = False
    session_folders: bool = False

    @property
    def folder(self) -> str:
        """The folder of the dataset that is read in which subjects' folders lie."""
        return "" if self.apart else self.output

    @property
    def files(self) -> ResultsFolder:
        """The paths of the other study's `results/<study>/`."""
        return ResultsFolder(self.results)
