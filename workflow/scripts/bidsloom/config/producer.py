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
    `apart`; subjects' folders lie in it, or in `inner` there.  With `group`
    its group level's result is read, too; with `session_folders` each session
    lies in a folder of its own there.
    """

    name: str
    results: Path
    app: str
    store: str
    output: str
    inner: str = ""
    apart: bool = False
    by_session: bool = False
    group: bool = False
    session_folders: bool = False

    def folder(self, session: str | None = None) -> str:
        """The folder of the dataset that is read in which subjects' folders lie.

        Where each session has a folder, it is that of one session.
        """
        output = "" if self.apart else self.output
        own = f"ses-{session}" if session and self.session_folders else ""
        return "/".join(filter(None, (output, own, self.inner)))

    @property
    def files(self) -> ResultsFolder:
        """The paths of the other study's `results/<study>/`."""
        return ResultsFolder(self.results)
