"""From a mapping (YAML, JSON, Snakemake's config) to a frozen `Study`.

The only reader of configuration keys.  Types, defaults and descriptions come
from `workflow/schemas/config.schema.yaml`; what a schema cannot say (two
outputs alike, a quoting trap of YAML) is checked here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import WorkflowFailure
from .faults import as_list, find_faults, load_schema, value_at
from .values import (
    app_arguments,
    fill_defaults,
    optional_path,
    parse_memory,
    parse_time,
    resolve_path,
    resolve_url,
)

LABEL = "[A-Za-z0-9+]+"
UNIT = f"sub-{LABEL}(_ses-{LABEL})?"


@dataclass(frozen=True)
class Bind:
    """A file or folder of the machine, and where the app sees it."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Container:
    """The BIDS App and its command line; `arguments` leaves out the labels.

    `image` is a file's absolute path, a URL, or a path inside the dataset at
    `dataset`.  `bids_filter` is JSON, empty for none.
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


@dataclass(frozen=True)
class FurtherInput:
    """A dataset beside the raw one, registered at `path` of the output dataset.

    `flag` is how the app's command line names it, `{path}` standing for its
    place; `shared` are folders that every unit takes.
    """

    path: str
    url: str
    version: str
    clone: Path
    flag: tuple[str, ...]
    required: bool
    shared: tuple[str, ...]


@dataclass(frozen=True)
class FurtherOutput:
    """An output folder that is a dataset of its own, with a store of its own."""

    path: str
    url: str
    dataset: Path


@dataclass(frozen=True)
class RetryPolicy:
    """How much more the next attempt gets; caps in MB and minutes, None: no cap."""

    memory_factor: float
    time_factor: float
    max_mem_mb: int | None
    max_runtime: int | None


@dataclass(frozen=True)
class Allocation:
    """CPUs, memory (MB) and time (minutes) of one job; None leaves it to the profile."""

    cpus: int
    mem_mb: int | None
    runtime: int | None


@dataclass(frozen=True)
class Resources:
    """What one job asks for (MB, minutes); None leaves it to the profile."""

    check_node: bool
    units_per_job: int
    cpus: int
    mem_mb: int | None
    runtime: int | None
    group: Allocation
    partition: str | None
    account: str | None
    qos: str | None
    gpus: int | None
    sbatch: str
    retry: RetryPolicy
    modules: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReportOptions:
    """What a report reckons with; without a price it tells no cost."""

    parallel_jobs: int
    price_per_core_hour: float | None


@dataclass(frozen=True)
class Requirement:
    """Files that a unit must have: pybids' entities, each with the values that will do."""

    entities: tuple[tuple[str, tuple[str | int, ...]], ...]
    at_least: int = 1


@dataclass(frozen=True)
class Selection:
    """Who is processed; `include` and `exclude` are labels, or the file that holds them."""

    include: tuple[str, ...] | Path = ()
    exclude: tuple[str, ...] | Path = ()
    sessions: tuple[str, ...] = ()
    where: str = ""
    require: tuple[Requirement, ...] = ()
    limit: int | None = None


@dataclass(frozen=True)
class Notify:
    """Of which ends people are told, and what holds their addresses, if anything does."""

    ends: tuple[str, ...]
    variable: str
    file: Path | None


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
    further_inputs: tuple[FurtherInput, ...]
    output_url: str
    further_outputs: tuple[FurtherOutput, ...]
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

    @classmethod
    def from_config(cls, config: Mapping, *, base: Path | None = None) -> Study:
        """The study that a configuration describes.

        Relative paths in `config` and the `results` folder are relative to
        `base`, by default the working directory.

        Raises `ConfigFailure` naming every fault at once.
        """
        base = base or Path.cwd()
        config = restore_on(config)
        problems = list(find_faults(config))
        if problems:
            raise ConfigFailure(problems)
        filled = fill_defaults(config, load_schema())
        common, datalad, subjects = filled["common"], filled["datalad"], filled["subjects"]
        hpc, container, notify = filled["hpc"], filled["container"], filled["notify"]
        app_args = dict(container["bids_args"])
        analysis_level = app_args.pop("analysis_level")
        name = filled.get("study", container["name"])
        results = base / "results" / name
        return cls(
            name=name,
            results=results,
            work_dir=resolve_path(common.get("work_dir", tempfile.gettempdir()), base),
            keep_failed=common["keep_failed"],
            input_url=resolve_url(datalad["input_repo"], base),
            input_version=datalad["input_version"],
            input_path=datalad["input_path"],
            further_inputs=tuple(
                read_further_input(given, base, clones=results / "inputs")
                for given in datalad["inputs"]
            ),
            output_url=resolve_url(datalad["output_repos"][0], base),
            further_outputs=tuple(
                FurtherOutput(path, resolve_url(url, base), results / "outputs" / path)
                for path, url in output_repositories(filled).items()
                if url
            ),
            lock_file=optional_path(datalad["lock_file"], base),
            shared_files=tuple(datalad["shared_files"]),
            by_session=subjects["processing_level"] == "session",
            selection=Selection(
                include=labels_or_file(subjects["include"], base),
                exclude=labels_or_file(subjects["exclude"], base),
                sessions=tuple(s.removeprefix("ses-") for s in subjects["sessions"]),
                where=subjects["where"].strip(),
                require=tuple(parse_requirement(filters) for filters in subjects["require"]),
                limit=subjects.get("limit"),
            ),
            remove_withdrawn=subjects["withdrawn"] == "remove",
            resources=Resources(
                check_node=hpc["check_node"],
                units_per_job=hpc["units_per_job"],
                cpus=hpc["cpus"],
                mem_mb=parse_memory(hpc["mem"]) if "mem" in hpc else None,
                runtime=parse_time(hpc["time"]) if "time" in hpc else None,
                group=read_allocation({**hpc, **hpc["group"]}),
                partition=hpc.get("partition"),
                account=hpc.get("account"),
                qos=hpc.get("qos"),
                gpus=hpc.get("gpus"),
                sbatch=hpc["sbatch"],
                retry=RetryPolicy(
                    memory_factor=hpc["retry"]["memory_factor"],
                    time_factor=hpc["retry"]["time_factor"],
                    max_mem_mb=parse_memory(hpc["retry"]["max_mem"])
                    if "max_mem" in hpc["retry"]
                    else None,
                    max_runtime=parse_time(hpc["retry"]["max_time"])
                    if "max_time" in hpc["retry"]
                    else None,
                ),
                modules=tuple(hpc["modules"]),
                environment=tuple(sorted((k, str(v)) for k, v in hpc["environment"].items())),
            ),
            container=Container(
                name=container["name"],
                image=container["image"]
                if container["dataset"]
                else resolve_url(container["image"], base),
                dataset=container["dataset"] and resolve_url(container["dataset"], base),
                dataset_version=container["dataset_version"],
                runtime=container["runtime"],
                call_fmt=container["call_fmt"],
                executable=tuple(container["executable"].split()),
                outputs=tuple(output_repositories(filled)),
                session_folders=container["session_folders"],
                archive=container["archive"],
                group_level=container["group_level"],
                group_inputs=tuple(container.get("group_inputs", output_repositories(filled))),
                group_arguments=tuple(app_arguments(container.get("group_args", app_args))),
                analysis_level=analysis_level,
                arguments=tuple(app_arguments(app_args)),
                participant_flag=container["participant_flag"],
                session_flag=container["session_flag"],
                bids_filter=json.dumps(container["bids_filter"], sort_keys=True)
                if container["bids_filter"]
                else "",
                binds=tuple(parse_bind(text, base) for text in container["binds"]),
                freesurfer_license=optional_path(container["freesurfer_license"], base),
                templateflow_home=optional_path(container["templateflow_home"], base),
            ),
            report=ReportOptions(
                parallel_jobs=filled["report"]["parallel_jobs"],
                price_per_core_hour=filled["report"].get("price_per_core_hour"),
            ),
            notify=Notify(
                ends=tuple(notify["on"]),
                variable=notify["urls_variable"],
                file=optional_path(notify["urls_file"], base),
            ),
            prove_units=filled["prove"]["units"],
            prove_seed=filled["prove"].get("seed"),
        )

    @property
    def dataset(self) -> Path:
        """The study dataset: what jobs clone."""
        return self.results / "dataset"

    @property
    def batches(self) -> Path:
        """Notes on units that share a job."""
        return self.results / "batches"

    @property
    def input(self) -> Path:
        """The study's clone of the input dataset, without a work tree."""
        return self.results / "input"

    @property
    def containers(self) -> Path:
        """The study's clone of the container dataset, without a work tree."""
        return self.results / "containers"


class ConfigFailure(WorkflowFailure):
    """One or more faults of a configuration, or of what it names."""

    def __init__(self, problems: list[WorkflowFailure]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


def restore_on(config: Any) -> Any:
    """A configuration whose key `notify.on` is a text: YAML reads a bare `on` as true."""
    notify = value_at(config, "notify")
    if not isinstance(notify, Mapping) or True not in notify:
        return config
    return {**config, "notify": {"on" if k is True else k: v for k, v in notify.items()}}


def read_config(path: Path) -> dict:
    """The mapping in a YAML or JSON file."""
    try:
        config = yaml.safe_load(path.read_text())
    except OSError as e:
        raise WorkflowFailure(
            f"The config file {path} cannot be read: {e.strerror}.",
            hint="give the path of your study's YAML or JSON file with --config.",
        ) from e
    except yaml.YAMLError as e:
        raise WorkflowFailure(
            f"The config file {path} is not valid YAML: {e}".replace("\n", " "),
            hint="look at the line named above; a missing space after a colon is common.",
        ) from e
    return config or {}


def read_allocation(given: Mapping) -> Allocation:
    """What a job asks for, by the keys of `hpc`."""
    return Allocation(
        cpus=given["cpus"],
        mem_mb=parse_memory(given["mem"]) if "mem" in given else None,
        runtime=parse_time(given["time"]) if "time" in given else None,
    )


def output_repositories(config: Mapping) -> dict[str, str]:
    """Output folder -> the repository of its own, empty where it has none.

    Older configurations list the further repositories under
    `datalad.output_repos`, in the order of the outputs.
    """
    container = config["container"]
    found = {}
    further = config["datalad"]["output_repos"]
    for n, output in enumerate(container.get("outputs", [container["name"]])):
        if isinstance(output, Mapping):
            found[output["path"]] = output["repo"]
        else:
            found[output] = further[n] if 0 < n < len(further) else ""
    return found


def read_further_input(given: Mapping, base: Path, *, clones: Path) -> FurtherInput:
    """A dataset of `datalad.inputs`."""
    flag = tuple(given.get("flag", "").split())
    return FurtherInput(
        path=given["path"],
        url=resolve_url(given["repo"], base),
        version=given.get("version", ""),
        clone=clones / given["path"],
        flag=(*flag, "{path}") if len(flag) == 1 else flag,
        required=given.get("required", True),
        shared=tuple(given.get("shared_paths", [])),
    )


def labels_or_file(value: list[str] | str, base: Path) -> tuple[str, ...] | Path:
    """Subject labels, or the path of the file that holds them."""
    if isinstance(value, str):
        return resolve_path(value, base)
    return tuple(label.removeprefix("sub-") for label in value)


def parse_requirement(filters: Mapping) -> Requirement:
    """Entities with one or several values each, and how many files are needed."""
    entities = {name: tuple(as_list(value)) for name, value in filters.items() if name != "min"}
    return Requirement(tuple(entities.items()), filters.get("min", 1))


def parse_bind(text: str, base: Path) -> Bind:
    """`source[:target[:ro|rw]]`; without a target, the app sees the source's own path."""
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    path = resolve_path(source, base)
    return Bind(path, target or str(path), writable=mode == "rw")
