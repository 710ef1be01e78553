"""What the branch `base` of a dataset holds: everything but results.

Rules for what is annexed, the marks of the study, the inputs and outputs that
are registered as subdatasets, the container image.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.files import write_text
from ..base.paths import STANDALONE
from ..base.runners import call_datalad, call_git, call_git_lines, call_git_success
from ..config import Study
from ..config.layout import MADE_FROM
from ..containers.call_ending import PACK
from ..containers.image import ImageKind, image_kind, image_path, key_in_dataset
from ..containers.runtimes import Runtime, call_format, choose_runtime
from ..datasets.annex import SUBDATASET, annexed_keys
from ..datasets.attributes import ATTRIBUTES
from ..datasets.clones import pin_containers
from ..datasets.folders import plain_folder
from ..datasets.imports import FOLDER_REMOTE, source_url
from ..datasets.output_datasets import (
    APP_SETTING,
    OUTPUT_SETTING,
    STUDY_SETTING,
    OutputDataset,
    main_output,
)
from ..datasets.registered import (
    CONTAINERS_PATH,
    CONTAINERS_SETTING,
    VERSION_SETTING,
    further_setting,
)
from ..datasets.stores import MAIN, REMOTE, last_line, read_setting
from ..records.fingerprints import made_from
from ..units.further_inputs import known_inputs

# The setting with the image's id, beside those that containers-add writes.
IMAGE_ID = "bidsloom-id"
PACK_SCRIPT = STANDALONE / "pack_outputs.py"
# Folders of a BIDS study dataset that hold datasets of their own.
BIDS_FOLDERS = ("sourcedata", "derivatives")
README = """\
# {name}

Results of the BIDS App `{app}` on the subjects of the BIDS dataset in `{input_path}`.
They lie in {outputs}, and `dataset_description.json` there says which versions made them.

## How they were made

The input is `{input_path}` at commit {commit}, the container image is `{image}`.
Each {unit} was computed by itself.
Its commit has the record of `datalad containers-run`: the command, what it read, what it wrote.

    git log --all-match --grep 'Bidsloom-Unit: sub-01'

## Get one subject

    datalad get {output}{session}/sub-01

## Compute one subject again

    datalad rerun <commit>

This fetches the subject's input and the image, and runs the recorded command{program}.
Where the app writes the same bytes again, there is nothing to save.
"""


ABOUT_FOLDER = """
`{path}` was imported from the folder {folder}, which has the content of its files.
Where that folder can be reached, a clone gets them, and `datalad rerun` works, after:

    datalad get -n {path}
    git -C {path} annex enableremote {remote} directory={folder}
    git -C {path} config remote.{remote}.annex-verified verified
"""


def imported_folders(study: Study, further: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Inputs that are plain folders: where they are registered, and the folder."""
    inputs = [(study.input_path, study.input_url)]
    inputs += [(given.path, given.url) for given in known_inputs(study, further)]
    for path, url in inputs:
        if folder := plain_folder(url):
            yield path, folder


def mark_dataset(study: Study, target: OutputDataset) -> None:
    """Write the settings by which a dataset's store is recognized later."""
    settings = target.dataset / ".datalad" / "config"
    set_in_file(settings, STUDY_SETTING, study.name)
    set_in_file(settings, APP_SETTING, study.container.name)
    if target.path:
        set_in_file(settings, OUTPUT_SETTING, target.path)


def refuse_registered_outputs(study: Study) -> None:
    """Refuse an output folder that was a dataset of its own before: its results would be hidden."""
    apart = {further.path for further in study.further_outputs}
    for output in study.container.outputs:
        entry = call_git(["ls-tree", "HEAD", "--", output], cwd=study.dataset)
        if entry.startswith(SUBDATASET) and output not in apart:
            raise WorkflowFailure(
                f"The output {output} was a dataset of its own when results were written to "
                f"{study.output_url}; it cannot become a folder like any other.",
                hint="name its repository again, or give the study a new output store.",
            )


def register_output(study: Study, target: OutputDataset, base: str) -> None:
    """Register an output as a subdataset of the output dataset.

    Raises `WorkflowFailure` where results lie there already: they were written
    when it was a folder like any other.
    """
    place = f"refs/remotes/{REMOTE}/{MAIN}:{target.path}"
    if call_git_success(["rev-parse", "-q", "--verify", f"{place}^{{tree}}"], cwd=study.dataset):
        raise WorkflowFailure(
            f"The output {target.path} lies in the output dataset {study.output_url} itself, and "
            "holds results there; it cannot become a dataset of its own.",
            hint="take its repository out of the config, or give the study a new output store.",
        )
    register_subdataset(study, target.path, target.store.url, base, source=target.dataset)
    commit_changes(study.dataset, f"Register the output {target.path}")


def write_scaffolding(
    study: Study, commit: str, further: Mapping[str, str], *, image_id: str
) -> None:
    """Commit rules, settings and the registered inputs, where they changed."""
    dataset = study.dataset
    write_text(dataset / ".gitattributes", ATTRIBUTES)
    runtime = choose_runtime(study)
    readme = README.format(
        name=study.name,
        app=study.container.name,
        input_path=study.bids_path,
        outputs=" and ".join(f"`{path}`" for path in study.container.outputs),
        output=study.container.outputs[0],
        session="/ses-pre" if study.by_session and study.container.session_folders else "",
        commit=commit[:10],
        image=image_path(study),
        unit="session" if study.by_session else "subject",
        program="" if runtime is Runtime.NONE else f" with {runtime.value}",
    )
    readme += "".join(
        ABOUT_FOLDER.format(path=path, folder=shlex.quote(str(folder)), remote=FOLDER_REMOTE)
        for path, folder in imported_folders(study, further)
    )
    write_text(dataset / "README.md", readme)
    description = {"Name": study.name, "BIDSVersion": "1.11.1", "DatasetType": "study"}
    write_text(dataset / "dataset_description.json", json.dumps(description, indent=2) + "\n")
    write_ignore_file(study, further)
    made = json.dumps(made_from(study, image_id), indent=1, sort_keys=True)
    write_text(dataset / MADE_FROM, f"{made}\n")
    settings = dataset / ".datalad" / "config"
    mark_dataset(study, main_output(study))
    set_in_file(settings, VERSION_SETTING, study.input_version)
    url = source_url(study.input_url, study.imports)
    register_subdataset(study, study.input_path, url, commit, source=study.input)
    for given in known_inputs(study, further):
        path, url = given.path, source_url(given.url, study.imports)
        register_subdataset(study, path, url, further[path], source=given.clone)
        set_in_file(settings, further_setting(path), given.version)
    forget_inputs(study, further)
    written = [".gitattributes", "README.md", "dataset_description.json", MADE_FROM]
    if study.container.archive:
        write_text(dataset / PACK, PACK_SCRIPT.read_text())
        written.append(PACK)
    call_git(["add", "--", *written], cwd=dataset)
    commit_changes(dataset, f"Register the input at {commit[:10]}")


def write_ignore_file(study: Study, further: Mapping[str, str]) -> None:
    """Stage `.bidsignore`, with the folders for which a BIDS study dataset has no names."""
    paths = [study.input_path, *further, *study.container.outputs]
    if study.container.dataset:
        paths.append(CONTAINERS_PATH)
    roots = {path.partition("/")[0] for path in paths}
    ignored = sorted(root for root in roots if root not in BIDS_FOLDERS)
    path = study.dataset / ".bidsignore"
    if ignored:
        # bids-validator takes a folder by its name without a slash.
        write_text(path, "".join(f"/{root}\n" for root in ignored))
        call_git(["add", "--", path.name], cwd=study.dataset)
    else:
        call_git(["rm", "-q", "-f", "--ignore-unmatch", "--", path.name], cwd=study.dataset)


def register_subdataset(study: Study, path: str, url: str, commit: str, *, source: Path) -> None:
    """Stage a dataset as a subdataset at a commit, without installing it."""
    dataset, modules = study.dataset, study.dataset / ".gitmodules"
    set_in_file(modules, f"submodule.{path}.path", path)
    set_in_file(modules, f"submodule.{path}.url", url)
    if identifier := read_setting(source, commit, "datalad.dataset.id"):
        set_in_file(modules, f"submodule.{path}.datalad-id", identifier)
        set_in_file(modules, f"submodule.{path}.datalad-url", url)
    call_git(["update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"], cwd=dataset)
    (dataset / path).mkdir(parents=True, exist_ok=True)


def forget_inputs(study: Study, further: Mapping[str, str]) -> None:
    """Stage the removal of further inputs that the study names no more."""
    dataset, settings = study.dataset, study.dataset / ".datalad" / "config"
    for path in set(registered_further_paths(dataset)) - further.keys():
        remove_section(settings, further_setting(path).rpartition(".")[0])
        if path != study.input_path:
            remove_section(dataset / ".gitmodules", f"submodule.{path}")
            call_git(["update-index", "--force-remove", "--", path], cwd=dataset)


def registered_further_paths(dataset: Path) -> list[str]:
    """Where further inputs are registered, by the settings in a work tree."""
    try:
        found = call_git_lines(
            ["config", "--file", ".datalad/config", "--name-only", "--get-regexp"]
            + [r"^bidsloom\..+\.version$"],
            cwd=dataset,
        )
    except CommandError:
        return []
    return [name.removeprefix("bidsloom.").removesuffix(".version") for name in found]


def remove_section(path: Path, section: str) -> None:
    """Remove a section of a file of git's configuration syntax."""
    call_git(["config", "--file", str(path), "--remove-section", section], cwd=path.parent)


def set_in_file(path: Path, key: str, value: str) -> None:
    """Set a value in a file of git's configuration syntax."""
    call_git(["config", "--file", str(path), key, value], cwd=path.parent)


def register_container(study: Study, image_id: str) -> str:
    """Register the image with its call format, where one of them changed; gives its key."""
    dataset, container = study.dataset, study.container
    kind = image_kind(study)
    wanted = {"image": image_path(study), "cmdexec": call_format(study), IMAGE_ID: image_id}
    keys = {variable: f"datalad.containers.{container.name}.{variable}" for variable in wanted}
    known = {variable: read_setting(dataset, "HEAD", key) for variable, key in keys.items()}
    # What is behind a URL may have changed; another call format fetches nothing anew.
    if {**known, "cmdexec": ""} != {**wanted, "cmdexec": ""}:
        if kind is ImageKind.DATASET:
            register_container_dataset(study)
        else:
            add_container(study, wanted["cmdexec"])
    key = registered_key(study)
    if kind is ImageKind.FILE and key != image_id:
        raise WorkflowFailure(
            f"The container image {container.image} changed while it was being "
            f"registered: its key is {key}, expected {image_id}.",
            hint="start again once the image is complete.",
        )
    for variable, value in wanted.items():
        set_in_file(dataset / ".datalad" / "config", keys[variable], value)
    commit_changes(dataset, f"Register the image of {container.name}")
    return key


def commit_changes(dataset: Path, message: str) -> None:
    """Commit settings and what is staged, where anything changed."""
    kept = [name for name in (".gitmodules", ".datalad/config") if (dataset / name).exists()]
    call_git(["add", "--", *kept], cwd=dataset)
    if not call_git_success(["diff", "--cached", "--quiet"], cwd=dataset):
        call_git(["commit", "-q", "--no-verify", "-m", message], cwd=dataset)


def add_container(study: Study, call_fmt: str) -> None:
    """`datalad containers-add` of a file or URL."""
    container = study.container
    try:
        call_datalad(
            ["containers-add", "-d", ".", "--update", f"--url={container.image}"]
            + [f"--call-fmt={call_fmt}", container.name],
            cwd=study.dataset,
        )
    except CommandError as e:
        raise WorkflowFailure(
            f"The container image {container.image} cannot be registered: {last_line(e.stderr)}",
            hint="check container.image, and the space left where results/ lies; a docker:// image "
            "is built by the program singularity, which Apptainer brings too.",
        ) from e


def register_container_dataset(study: Study) -> None:
    """Register the container dataset, of which `containers-add --image` would want a work tree."""
    container, commit = study.container, pin_containers(study)
    register_subdataset(study, CONTAINERS_PATH, container.dataset, commit, source=study.containers)
    settings = study.dataset / ".datalad" / "config"
    set_in_file(settings, CONTAINERS_SETTING, container.dataset_version)


def registered_key(study: Study) -> str:
    """The annex key of the registered image."""
    if study.container.dataset:
        return key_in_dataset(study, pin_containers(study))
    return annexed_keys(study.dataset, "HEAD", [image_path(study)])[0]
