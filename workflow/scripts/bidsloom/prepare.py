"""Prepare the study dataset: what jobs clone, and what their branches start from.

Its branch `base` holds scaffolding alone: the input registered at its pinned
commit, the container, rules for what is annexed.  `main` starts there and
gathers results; jobs start from `base`, so that a clone stays small however
many units are merged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .bids import is_annexed
from .branches import head_of
from .clones import (
    CONTAINERS_PATH,
    CONTAINERS_SETTING,
    VERSION_SETTING,
    clone_containers,
    clone_output,
    further_setting,
)
from .config import Study
from .containers import ImageKind, image_kind, image_path, key_in_dataset
from .errors import CommandError, FailureClass, WorkflowFailure
from .fingerprints import MADE_FROM, made_from
from .locks import exclusive, leave_lock_token, locked, push_refs
from .records import write_text
from .runners import (
    PRIVATE,
    call_annex,
    call_datalad,
    call_git,
    call_git_lines,
    call_git_success,
)
from .runtimes import PACK, call_format, choose_runtime
from .scratch import remove_tree
from .settle import preparation
from .stores import (
    BASE,
    MAIN,
    REMOTE,
    Store,
    StoreKind,
    is_git_directory,
    last_line,
    list_remote_heads,
    make_bare_store,
    read_setting,
    share_remotes,
    store_uuid,
)
from .targets import (
    APP_SETTING,
    OUTPUT_SETTING,
    STUDY_SETTING,
    Target,
    all_targets,
    output_target,
)

# What the registered image is known by, beside what containers-add writes.
IMAGE_ID = "bidsloom-id"

PACK_SCRIPT = Path(__file__).parents[1] / "pack_outputs.py"

# Small text lives in git, where it can be read and compared without fetching;
# everything else is annexed.
ATTRIBUTES = """\
* annex.backend=MD5E
* annex.largefiles=anything
*.json annex.largefiles=largerthan=100kb
*.tsv annex.largefiles=largerthan=100kb
*.csv annex.largefiles=largerthan=100kb
*.html annex.largefiles=largerthan=100kb
*.md annex.largefiles=largerthan=100kb
*.txt annex.largefiles=largerthan=100kb
*.bib annex.largefiles=largerthan=100kb
*.toml annex.largefiles=largerthan=100kb
.bidsignore annex.largefiles=nothing
README* annex.largefiles=nothing
**/.git* annex.largefiles=nothing
code/** annex.largefiles=nothing
.datalad/environments/** annex.largefiles=anything
"""

README = """\
# {name}

Results of the BIDS App `{app}` on every subject of `{input_path}`, one commit a unit.

    git log --all-match --grep 'Bidsloom-Unit: sub-01'   # the commit of a unit
    datalad get {output}/sub-01                          # fetch its files
    datalad rerun <commit>                               # compute them again
"""


def prepare_study(study: Study, *, commit: str, image_id: str, further: Mapping[str, str]) -> dict:
    """Bring the study dataset and the output store to what the study asks for.

    `commit` is the input's, `further` has that of each further input by path.
    Gives what jobs need to know: the commit their branches start from, the
    input commit, the image, the runtime and the store's annex UUID.  Doing it
    again changes nothing.
    """
    *outputs, output = all_targets(study)
    with locked(study.lock_file), exclusive(study):
        bases = {target.path: prepare_output(study, target) for target in outputs}
        open_dataset(study, output)
        write_scaffolding(study, commit, further, image_id=image_id)
        for target in outputs:
            register_output(study, target, bases[target.path])
        key = register_container(study, image_id)
        base = call_git(["rev-parse", "HEAD"], cwd=study.dataset)
        connect_store(study, output)
        fetch_image(study, output.store, key)
        publish_base(study, output)
    share_remotes(study.dataset)
    return {
        "dataset_id": read_setting(study.dataset, base, "datalad.dataset.id"),
        "bases": {**bases, output.path: base},
        "input_commit": commit,
        "further_commits": dict(further),
        "container_key": key,
        "image": image_id,
        "runtime": choose_runtime(study).value,
        "identity": own_identity(study.dataset),
        "lock_token": leave_lock_token(study),
        "made_from": preparation(study, commit, image_id, further),
    }


def own_identity(repository: Path) -> list[str]:
    """Name and address that git signs with here; a node may know of none."""
    name, _, rest = call_git(["var", "GIT_AUTHOR_IDENT"], cwd=repository).partition(" <")
    return [name, rest.partition(">")[0]]


def prepare_output(study: Study, target: Target) -> str:
    """Bring an output that is a dataset of its own to what the study asks for; gives its base."""
    dataset = target.dataset
    open_dataset(study, target)
    write_text(dataset / ".gitattributes", ATTRIBUTES)
    mark_dataset(study, target)
    call_git(["add", ".gitattributes"], cwd=dataset)
    commit_changes(dataset, f"Mark the dataset as {target.path} of {study.name}")
    connect_store(study, target)
    publish_base(study, target)
    share_remotes(dataset)
    return call_git(["rev-parse", "HEAD"], cwd=dataset)


def mark_dataset(study: Study, target: Target) -> None:
    """Write the marks by which a dataset's store is known again."""
    settings = target.dataset / ".datalad" / "config"
    set_in_file(settings, STUDY_SETTING, study.name)
    set_in_file(settings, APP_SETTING, study.container.name)
    if target.path:
        set_in_file(settings, OUTPUT_SETTING, target.path)


def register_output(study: Study, target: Target, base: str) -> None:
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


def open_dataset(study: Study, target: Target) -> None:
    """A dataset with `base` checked out: cloned from its store, or new."""
    store, dataset = target.store, target.dataset
    held = store.repository is None or is_git_directory(store.repository)
    if held and BASE in list_remote_heads(store):
        clone_output(target, study)
        call_git(["fetch", "-q", REMOTE], cwd=dataset)
        call_git(["checkout", "-q", "-f", "-B", BASE, f"{REMOTE}/{BASE}"], cwd=dataset)
    elif not dataset.exists():
        # Under another name until it is complete: a killed run leaves nothing half made.
        new = dataset.with_name(f".{dataset.name}.making")
        if new.exists():
            remove_tree(new)
        new.parent.mkdir(parents=True, exist_ok=True)
        call_datalad(["create", str(new)], cwd=new.parent, env=PRIVATE)
        call_git(["config", "annex.private", "true"], cwd=new)
        new.rename(dataset)
    if not head_of(dataset, BASE):
        call_git(["branch", "-q", BASE], cwd=dataset)
    call_git(["checkout", "-q", "-f", BASE], cwd=dataset)
    # What a killed `containers-add` had not saved yet.
    call_git(["clean", "-q", "-ffd"], cwd=dataset)


def write_scaffolding(
    study: Study, commit: str, further: Mapping[str, str], *, image_id: str
) -> None:
    """Commit rules, settings and the registered inputs, where they changed."""
    dataset = study.dataset
    write_text(dataset / ".gitattributes", ATTRIBUTES)
    app, output = study.container.name, study.container.outputs[0]
    readme = README.format(name=study.name, app=app, input_path=study.input_path, output=output)
    write_text(dataset / "README.md", readme)
    description = {
        "Name": study.name,
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": app}],
    }
    write_text(dataset / "dataset_description.json", json.dumps(description, indent=2) + "\n")
    made = json.dumps(made_from(study, image_id), indent=1, sort_keys=True)
    write_text(dataset / MADE_FROM, f"{made}\n")
    settings = dataset / ".datalad" / "config"
    mark_dataset(study, output_target(study))
    set_in_file(settings, VERSION_SETTING, study.input_version)
    register_subdataset(study, study.input_path, study.input_url, commit, source=study.input)
    for given in study.further_inputs:
        path = given.path
        register_subdataset(study, path, given.url, further[path], source=given.clone)
        set_in_file(settings, further_setting(path), given.version)
    forget_inputs(study)
    written = [".gitattributes", "README.md", "dataset_description.json", MADE_FROM]
    if study.container.archive:
        write_text(dataset / PACK, PACK_SCRIPT.read_text())
        written.append(PACK)
    call_git(["add", *written], cwd=dataset)
    commit_changes(dataset, f"Register the input at {commit[:10]}")


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


def forget_inputs(study: Study) -> None:
    """Stage the removal of further inputs that the study names no more."""
    dataset, settings = study.dataset, study.dataset / ".datalad" / "config"
    wanted = {further.path for further in study.further_inputs}
    for path in set(registered_further_paths(dataset)) - wanted:
        remove_section(settings, further_setting(path).rpartition(".")[0])
        if path != study.input_path:
            remove_section(dataset / ".gitmodules", f"submodule.{path}")
            call_git(["update-index", "--force-remove", path], cwd=dataset)


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
    call_git(["add", *kept], cwd=dataset)
    if not call_git_success(["diff", "--cached", "--quiet"], cwd=dataset):
        call_git(["commit", "-q", "--no-verify", "-m", message], cwd=dataset)


def add_container(study: Study, call_fmt: str) -> None:
    """`datalad containers-add` of a file or URL."""
    container = study.container
    try:
        call_datalad(
            ["containers-add", "-d", ".", "--update", "--url", container.image]
            + ["--call-fmt", call_fmt, container.name],
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
    container, commit = study.container, clone_containers(study)
    register_subdataset(study, CONTAINERS_PATH, container.dataset, commit, source=study.containers)
    settings = study.dataset / ".datalad" / "config"
    set_in_file(settings, CONTAINERS_SETTING, container.dataset_version)


def registered_key(study: Study) -> str:
    """The annex key of the registered image."""
    if study.container.dataset:
        return key_in_dataset(study, clone_containers(study))
    image = call_git(["show", f"HEAD:{image_path(study)}"], cwd=study.dataset)
    return image.rpartition("/")[2]


def connect_store(study: Study, target: Target) -> None:
    """Make a store where it is missing, and know it as remote `output`."""
    store, dataset = target.store, target.dataset
    if store.kind is StoreKind.BARE:
        what = f"{target.path} of {study.name}" if target.path else study.name
        make_bare_store(store.repository, f"output store of {what}")
    known = call_git_success(["remote", "get-url", REMOTE], cwd=dataset)
    if store.kind is StoreKind.RIA and not (known and is_git_directory(store.repository)):
        head, _, _ = store.url.partition("#")
        call_datalad(
            ["create-sibling-ria", "-s", REMOTE, "--alias", store.alias, "--new-store-ok"]
            + ["--existing", "reconfigure", head],
            cwd=dataset,
        )
    elif not known:
        call_git(["remote", "add", REMOTE, store.git_url], cwd=dataset)
    if store.kind is StoreKind.BARE:
        call_git(["config", f"remote.{REMOTE}.annex-uuid", store_uuid(store, dataset)], cwd=dataset)


def fetch_image(study: Study, store: Store, key: str) -> None:
    """Have the image's content once, where jobs link to it."""
    source = study.dataset
    args, place = ["get", "-q", "--", image_path(study)], store.url
    if study.container.dataset:
        source, place = study.containers, study.container.dataset
        if not is_annexed(source):
            return
        args = ["get", "-q", "--key", key]
    try:
        call_annex(args, cwd=source)
    except CommandError as e:
        raise WorkflowFailure(
            f"The container image {image_path(study)} cannot be fetched from {place}: "
            f"{last_line(e.stderr)}",
            hint="check that it is whole and reachable.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def publish_base(study: Study, target: Target) -> None:
    """Push the image's content, then `base`, then `main` where there is none yet."""
    store, dataset = target.store, target.dataset
    try:
        if store.kind is StoreKind.OTHER:
            # A repository elsewhere becomes one of git-annex when it knows that branch.
            push_annex_branch(dataset)
        if not target.path and is_annexed(dataset) and not study.container.dataset:
            call_annex(
                ["copy", "-q", "--to", store.content_remote, "--", ".datalad/environments"],
                cwd=dataset,
            )
        refs = [f"{BASE}:{BASE}"]
        if MAIN not in list_remote_heads(store):
            refs.append(f"{BASE}:{MAIN}")
        push_refs([REMOTE, *refs], cwd=dataset)
        push_annex_branch(dataset)
    except CommandError as e:
        raise WorkflowFailure(
            f"The study dataset cannot be pushed to {store.url}: {last_line(e.stderr)}",
            hint="check that the output store is writable and has space; nothing is lost.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e


def push_annex_branch(dataset: Path) -> None:
    """Publish location logs, taking in first what the store knows.

    git-annex in the store may write that branch at any time, so a rejected
    push is merged and tried again.
    """
    for attempt in range(5):
        call_git(["fetch", "-q", REMOTE], cwd=dataset)
        call_annex(["merge", "-q"], cwd=dataset)
        try:
            push_refs([REMOTE, "git-annex:git-annex"], cwd=dataset)
        except CommandError:
            if attempt == 4:
                raise
        else:
            return
