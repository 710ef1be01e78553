"""From a mapping (YAML, JSON, Snakemake's config) to a frozen `Study`.

The only reader of configuration keys.  Types, defaults and descriptions come
from `workflow/schemas/config.schema.yaml`; what a schema cannot express (two
outputs with the same name, a quoting trap of YAML) is checked in `faults`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..base.credentials import credential_of, use_credentials, use_variables
from ..base.errors import ConfigFailure, WorkflowFailure
from ..base.git_settings import connect_for_ria
from .expects import read_expects
from .layout import default_outputs
from .loading import key_of, place_faults
from .plain_values import plain
from .producer import Producer
from .producers import Producers, name_producers
from .request import Request
from .results_folder import ResultsFolder
from .sbatch import parse_sbatch, split_constraint
from .schema import load_schema
from .secret_variables import secret_variables
from .study import (
    Bind,
    Container,
    Export,
    FurtherInput,
    FurtherOutput,
    Notify,
    ReportOptions,
    Requirement,
    Resources,
    RetryPolicy,
    Selection,
    Study,
)
from .values import (
    app_arguments,
    as_list,
    fill_defaults,
    optional_path,
    output_repositories,
    parse_memory,
    parse_time,
    resolve_path,
    resolve_url,
    value_at,
)


def read_study(
    config: Mapping,
    *,
    base: Path | None = None,
    lines: Mapping[str, str] | None = None,
    checked: bool = False,
    studies: Mapping[str, Mapping] | None = None,
) -> Study:
    """The study that a configuration describes.

    Relative paths in `config` and the `results` folder are relative to
    `base`, by default the working directory.  `lines` are the places of keys
    in files, for the messages; by default those of a `LoadedConfig`.
    `checked` says that the main process has found no faults: nothing is
    looked for, which saves a job 0.2 s.  `studies` are the configurations, by
    the studies' names, of those that the inputs may name.
    Its URLs are without credentials: from now on, this process' environment
    hands those to git.

    Raises `ConfigFailure` with every fault.
    """
    base = base or Path.cwd()
    config, producers, problems = look_over(
        config, base=base, lines=lines, checked=checked, studies=studies
    )
    if problems:
        raise ConfigFailure(problems)
    filled = fill_defaults(config, load_schema())
    container = filled["container"]
    name = filled.get("study", container["name"])
    files = ResultsFolder(base / "results" / name)
    if "outputs" not in container:
        container["outputs"] = default_outputs(files.dataset, container["name"])
    use_credentials(os.environ, filter(None, map(credential_of, urls_of(filled))))
    use_variables(os.environ, secret_variables(filled["datalad"], base))
    if any(url.startswith("ria+ssh://") for url in urls_of(filled)):
        connect_for_ria(os.environ)
    common, datalad = filled["common"], filled["datalad"]
    return Study(
        name=name,
        results=files.path,
        work_dir=resolve_path(common.get("work_dir", tempfile.gettempdir()), base),
        keep_failed=common["keep_failed"],
        input_url=resolve_url(datalad["input_repo"], base),
        input_version=datalad["input_version"],
        input_path=datalad["input_path"],
        input_folder=datalad["input_folder"],
        shared_paths=tuple(datalad["shared_paths"]),
        imports=resolve_path(datalad["import_folder"], base),
        further_inputs=tuple(
            read_further_input(
                given,
                base,
                clone=files.further_input(given["path"]),
                producer=producers.known.get(given["path"]),
            )
            for given in datalad["inputs"]
        ),
        output_url=resolve_url(datalad["output_repos"][0], base),
        output_content=tuple(
            (key, str(value).lower() if isinstance(value, bool) else str(value))
            for key, value in datalad["output_content"].items()
        ),
        group_store=datalad["shared"] == "group",
        further_outputs=tuple(
            FurtherOutput(path, resolve_url(url, base), files.further_output(path))
            for path, url in output_repositories(filled).items()
            if url
        ),
        wait_minutes=datalad["wait_minutes"],
        lock_file=optional_path(datalad["lock_file"], base),
        shared_files=tuple(datalad["shared_files"]),
        by_session=filled["subjects"]["processing_level"] == "session",
        selection=read_selection(filled["subjects"], base),
        remove_withdrawn=filled["subjects"]["withdrawn"] == "remove",
        resources=read_resources(filled["hpc"]),
        container=read_container(filled, base),
        report=ReportOptions(
            parallel_jobs=filled["report"]["parallel_jobs"],
            price_per_core_hour=filled["report"].get("price_per_core_hour"),
            unit_pages=filled["report"]["unit_pages"],
            validate=filled["report"]["validate"],
            prov=filled["report"]["prov"],
        ),
        notify=Notify(
            ends=tuple(filled["notify"]["on"]),
            variable=filled["notify"]["urls_variable"],
            file=optional_path(filled["notify"]["urls_file"], base),
        ),
        prove_units=filled["prove"]["units"],
        prove_seed=filled["prove"].get("seed"),
        export=read_export(filled, base),
    )


def examine(config: Mapping, *, base: Path) -> tuple[Any, list[WorkflowFailure]]:
    """A configuration in plain values, and all its faults; the arguments are `read_study`'s."""
    config, _, problems = look_over(config, base=base)
    return config, problems


def look_over(
    config: Mapping,
    *,
    base: Path,
    lines: Mapping[str, str] | None = None,
    checked: bool = False,
    studies: Mapping[str, Mapping] | None = None,
) -> tuple[Any, Producers, list[WorkflowFailure]]:
    """As `examine`, with the studies that inputs name; the arguments are `read_study`'s."""
    lines = getattr(config, "lines", {}) if lines is None else lines
    problems: list[WorkflowFailure] = []
    config, producers = name_producers(plain(restore_on(config), problems), base, studies or {})
    problems += producers.faults
    if not checked:
        # Not at the top of the module, for the sake of those who need none of it.
        from .faults import find_faults

        # What is said of a value is not said twice: another one took its place.
        known = {key_of(problem) for problem in problems}
        problems += [p for p in find_faults(config, base) if key_of(p) not in known]
    return config, producers, place_faults(problems, lines)


def read_selection(subjects: Mapping, base: Path) -> Selection:
    """Who is processed, by the section `subjects`."""
    return Selection(
        include=labels_or_file(subjects["include"], base),
        exclude=labels_or_file(subjects["exclude"], base),
        sessions=tuple(s.removeprefix("ses-") for s in subjects["sessions"]),
        where=subjects["where"].strip(),
        require=tuple(parse_requirement(filters) for filters in subjects["require"]),
        limit=subjects.get("limit"),
        accept=tuple(f"sub-{label.removeprefix('sub-')}" for label in subjects["accept"]),
    )


def read_resources(hpc: Mapping) -> Resources:
    """What one job asks for, by the section `hpc`."""
    retry = hpc["retry"]
    options, constraint = split_constraint(parse_sbatch(hpc["sbatch"]))
    return Resources(
        check_node=hpc["check_node"],
        units_per_job=hpc["units_per_job"],
        job=read_request(hpc),
        group=read_request({**hpc, **hpc["group"]}),
        partition=hpc.get("partition") or None,
        account=hpc.get("account") or None,
        qos=hpc.get("qos") or None,
        gpus=hpc.get("gpus"),
        sbatch=options,
        constraint=constraint,
        retry=RetryPolicy(
            memory_factor=retry["memory_factor"],
            time_factor=retry["time_factor"],
            max_mem_mb=parse_memory(retry["max_mem"]) if "max_mem" in retry else None,
            max_minutes=parse_time(retry["max_time"]) if "max_time" in retry else None,
        ),
        modules=tuple(hpc["modules"]),
        environment=tuple(sorted((k, str(v)) for k, v in hpc["environment"].items())),
    )


def read_container(filled: Mapping, base: Path) -> Container:
    """The app and its command line, by the section `container`."""
    container = filled["container"]
    outputs = tuple(output_repositories(filled))
    app_args = dict(container["bids_args"])
    analysis_level = app_args.pop("analysis_level")
    image, dataset, wanted = container["image"], container["dataset"], container["bids_filter"]
    expected = read_expects(container, base)
    return Container(
        name=container["name"],
        image=image if dataset else resolve_url(image, base),
        dataset=dataset and resolve_url(dataset, base),
        dataset_version=container["dataset_version"],
        runtime=container["runtime"],
        call_fmt=container["call_fmt"],
        executable=tuple(container["executable"].split()),
        outputs=outputs,
        session_folders=container["session_folders"],
        archive=container["archive"],
        network=container["network"],
        group_level=container["group_level"],
        group_inputs=tuple(container.get("group_inputs", outputs)),
        group_arguments=tuple(app_arguments(container.get("group_args", app_args))),
        analysis_level=analysis_level,
        arguments=tuple(app_arguments(app_args)),
        participant_flag=container["participant_flag"],
        session_flag=container["session_flag"],
        bids_filter=json.dumps(wanted, sort_keys=True) if wanted else "",
        binds=tuple(parse_bind(text, base) for text in container["binds"]),
        freesurfer_license=optional_path(container["freesurfer_license"], base),
        templateflow_home=optional_path(container["templateflow_home"], base),
        expects=expected.files,
        expects_name=expected.name,
        crash_files=expected.crash_files,
        on_incomplete=container.get("on_incomplete"),
        leave_out=tuple(container["leave_out"]),
        evidence=(*expected.crash_files, *container["evidence"]),
    )


def read_export(filled: Mapping, base: Path) -> Export:
    """Where merged results are laid out as plain files, by the section `export`."""
    export = filled["export"]
    words = {True: "yes", False: "no"}
    return Export(
        to=optional_path(export["to"], base),
        zipped=export["form"] == "zip",
        remote=tuple(
            (name, words[value] if isinstance(value, bool) else str(value))
            for name, value in sorted(export.get("remote", {}).items())
        ),
        output=export["output"].strip("/"),
        leave_out=tuple(export["leave_out"]),
        check_content=export["check"] == "content",
    )


def restore_on(config: Any) -> Any:
    """A configuration in which `notify.on` has its name again: YAML reads a bare `on` as true."""
    notify = value_at(config, "notify")
    if not isinstance(notify, Mapping) or True not in notify:
        return config
    return {**config, "notify": {"on" if k is True else k: v for k, v in notify.items()}}


def read_request(given: Mapping) -> Request:
    """What a job asks for, by the keys of `hpc`."""
    return Request(
        cpus=given["cpus"],
        mem_mb=parse_memory(given["mem"]) if "mem" in given else None,
        minutes=parse_time(given["time"]) if "time" in given else None,
    )


def urls_of(config: Mapping) -> Iterator[str]:
    """Every path or URL of a dataset, store or image that a configuration names."""
    datalad, container = config["datalad"], config["container"]
    yield datalad["input_repo"]
    yield from (given["repo"] for given in datalad["inputs"])
    yield from datalad["output_repos"]
    yield from filter(None, output_repositories(config).values())
    yield container["dataset"]
    yield container["image"]


def read_further_input(
    given: Mapping, base: Path, *, clone: Path, producer: Producer | None = None
) -> FurtherInput:
    """A dataset of `datalad.inputs`."""
    flag = tuple(given.get("flag", "").split())
    return FurtherInput(
        path=given["path"],
        url=resolve_url(given["repo"], base),
        version=given.get("version", ""),
        clone=clone,
        flag=(*flag, "{path}") if len(flag) == 1 else flag,
        required=given.get("required", True),
        shared=tuple(given.get("shared_paths", [])),
        folder=given.get("folder", "") if producer is None else producer.folder(),
        bids_dir=given.get("bids_dir", False),
        producer=producer,
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
