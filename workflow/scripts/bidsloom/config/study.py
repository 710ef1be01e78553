"""The frozen `Study`: what a configuration asks for, in types.

Made by `reading.read_study`; all other modules take their values from here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from .producer import Producer
from .request import Request
from .results_folder import ResultsFolder

# The label of a subject, in the URL of a further input.
SUBJECT = "{subject}"


def tree_of(commit: str, folder: str) -> str:
    """The tree of a commit's folder as git names it; an empty folder is the commit itself."""
    return f"{commit}:{folder}" if folder else commit


def join(folder: str, path: str) -> str:
    """A path below a folder; each of them may be empty."""
    return "/".join(filter(None, [folder, path]))


@dataclass(frozen=True)
class Bind:
    """A file or folder of the machine, and where the app sees it."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Expectation:
    """Files that a complete result holds: at least so many that match `pattern`.

    With `for_each`, entities as those of a `Requirement`, that many for each
    input file that has them (None: the entity is absent).  An input and an
    output file belong together if they agree in the entities that identify a
    recording, without those of `drop`, or in those of `same` alone.  With
    `if_any`, an input file counts only if some output shares these entities.
    """

    pattern: str
    at_least: int = 1
    for_each: tuple[tuple[str, tuple[str | int | None, ...]], ...] = ()
    drop: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    if_any: tuple[str, ...] = ()


@dataclass(frozen=True)
class Container:
    """The BIDS App and its command line; `arguments` are without the unit's labels.

    `image` is the absolute path of a file, a URL, or a path inside the dataset
    at `dataset`.  `bids_filter` is JSON, empty for none.

    `expects` says when a result is complete; `expects_name` is the name of the
    built-in set or the file that it comes from, empty without one.
    `crash_files`, `leave_out` and `evidence` are patterns of files that mean a
    crash, are not kept, and are kept of a failed attempt.  `on_incomplete` is
    None where the user left the choice to us.
    """

    name: str
    image: str
    dataset: str
    dataset_version: str
    runtime: str
    call_fmt: str
    executable: tuple[str, ...]
    outputs: tuple[str, ...]
    session_folders: bool
    archive: bool
    group_level: bool
    group_inputs: tuple[str, ...]
    group_arguments: tuple[str, ...]
    analysis_level: str
    arguments: tuple[str, ...]
    participant_flag: str
    session_flag: str
    bids_filter: str
    binds: tuple[Bind, ...]
    freesurfer_license: Path | None
    templateflow_home: Path | None
    network: bool = False
    expects: tuple[Expectation, ...] = ()
    expects_name: str = ""
    crash_files: tuple[str, ...] = ()
    on_incomplete: str | None = None
    leave_out: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class FurtherInput:
    """A dataset beside the raw one, registered at `path` of the output dataset.

    `flag` names it on the app's command line; `{path}` there stands for its
    path.  `shared` are folders that every unit gets.  With `{subject}` in
    `url` it is a pattern of datasets, one a subject, which are registered
    below `path`.  `folder` of the dataset, if it is not empty, has the folders
    of the subjects.  `producer` is the study that makes it, if that is named.
    With `bids_dir` it is the app's first argument.
    """

    path: str
    url: str
    version: str
    clone: Path
    flag: tuple[str, ...]
    required: bool
    shared: tuple[str, ...]
    folder: str = ""
    bids_dir: bool = False
    producer: Producer | None = None

    def tree(self, commit: str) -> str:
        """The tree with the subjects' folders, as git names it."""
        return tree_of(commit, self.folder)

    def at_session(self, session: str | None) -> FurtherInput:
        """The input as a unit of a session reads it: where each has a folder, in that one."""
        return replace(self, folder=self.producer.folder(session)) if self.producer else self

    @property
    def is_pattern(self) -> bool:
        """True for a pattern of datasets, one a subject."""
        return SUBJECT in self.url

    def of(self, subject: str) -> FurtherInput:
        """The dataset of a subject: the same one for all, unless this is a pattern."""
        if not self.is_pattern:
            return self
        name = f"sub-{subject}"
        url = self.url.replace(SUBJECT, subject)
        return replace(self, url=url, path=f"{self.path}/{name}", clone=self.clone / name)


@dataclass(frozen=True)
class FurtherOutput:
    """An output folder that is a separate dataset, with its own store."""

    path: str
    url: str
    dataset: Path


@dataclass(frozen=True)
class RetryPolicy:
    """How much more the next attempt gets; caps in MB and minutes, None: no cap."""

    memory_factor: float
    time_factor: float
    max_mem_mb: int | None
    max_minutes: int | None


@dataclass(frozen=True)
class Resources:
    """What jobs ask for, one of a unit and that of the group; None leaves it to the profile.

    `sbatch` are further options, each as one argument, without `--constraint`.
    """

    check_node: bool
    units_per_job: int
    job: Request
    group: Request
    partition: str | None
    account: str | None
    qos: str | None
    gpus: int | None
    sbatch: tuple[str, ...]
    constraint: str | None
    retry: RetryPolicy
    modules: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportOptions:
    """Numbers for the report's estimates; without a price it shows no cost.

    `unit_pages` is of how many units the report copies their own pages;
    `validate` says that bids-validator looks at the merged results, `prov` that
    the provenance of each is written.
    """

    parallel_jobs: int
    price_per_core_hour: float | None
    unit_pages: int = 50
    validate: bool = True
    prov: bool = False


@dataclass(frozen=True)
class Requirement:
    """Files that a unit must have: pybids' entities, each with the accepted values.

    None among the values accepts a file without that entity.
    """

    entities: tuple[tuple[str, tuple[str | int | None, ...]], ...]
    at_least: int = 1


@dataclass(frozen=True)
class Selection:
    """Who is processed; `include` and `exclude` are labels, or a file with labels.

    `accept` names units, or subjects with all their sessions (`sub-01`), whose
    incomplete results are merged.
    """

    include: tuple[str, ...] | Path = ()
    exclude: tuple[str, ...] | Path = ()
    sessions: tuple[str, ...] = ()
    where: str = ""
    require: tuple[Requirement, ...] = ()
    limit: int | None = None
    accept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Notify:
    """When to send messages (`success`, `failure`), and where the addresses come from."""

    ends: tuple[str, ...]
    variable: str
    file: Path | None


@dataclass(frozen=True)
class Export:
    """Where and how merged results are laid out as plain files; neither `to` nor `remote`: nowhere.

    `remote` are the settings of a git-annex special remote.  `output` is the
    output that is exported, empty for the complete output dataset.
    """

    to: Path | None = None
    zipped: bool = False
    remote: tuple[tuple[str, str], ...] = ()
    output: str = ""
    leave_out: tuple[str, ...] = ()
    check_content: bool = False


@dataclass(frozen=True)
class Study:
    """One input dataset x one BIDS App x its output dataset."""

    name: str
    results: Path
    work_dir: Path
    keep_failed: bool
    input_url: str
    input_version: str
    input_path: str
    input_folder: str
    shared_paths: tuple[str, ...]
    imports: Path
    further_inputs: tuple[FurtherInput, ...]
    output_url: str
    output_content: tuple[tuple[str, str], ...]
    group_store: bool
    further_outputs: tuple[FurtherOutput, ...]
    wait_minutes: float
    lock_file: Path | None
    shared_files: tuple[str, ...]
    by_session: bool
    selection: Selection
    remove_withdrawn: bool
    resources: Resources
    container: Container
    report: ReportOptions
    notify: Notify
    prove_units: int
    prove_seed: int | None
    export: Export = Export()

    @cached_property
    def files(self) -> ResultsFolder:
        """The paths of `results/<study>/`."""
        return ResultsFolder(self.results)

    @property
    def produced_inputs(self) -> tuple[FurtherInput, ...]:
        """The further inputs that are results of other studies."""
        return tuple(further for further in self.further_inputs if further.producer)

    @property
    def dataset(self) -> Path:
        """The study dataset: what jobs clone."""
        return self.files.dataset

    @property
    def input(self) -> Path:
        """The study's clone of the input dataset, without a work tree."""
        return self.files.input

    @property
    def bids_path(self) -> str:
        """The BIDS dataset that is processed, in the output dataset."""
        return join(self.input_path, self.input_folder)

    def input_tree(self, commit: str) -> str:
        """The BIDS dataset at a commit of the input, as git names its tree."""
        return tree_of(commit, self.input_folder)

    @property
    def containers(self) -> Path:
        """The study's clone of the container dataset, without a work tree."""
        return self.files.containers
