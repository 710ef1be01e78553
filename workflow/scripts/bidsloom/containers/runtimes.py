"""Container runtimes: how each is called, and how it fails.

A call format is part of the output dataset, and of every run record.  It names
no path of this machine.  A job passes what only this machine has (a licence
file, a template folder, the scratch disk) in environment variables.

Every format isolates the app: it gets a clean environment, no home folder, no
network, and the dataset read-only.  It can write only to the output folders and
`/tmp`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

from ..base.errors import WorkflowFailure
from ..base.files import write_text
from ..config import Study
from ..config.environment import is_for_app_alone
from ..config.study import Bind, Container
from .call_ending import with_ending
from .isolation import LOCALHOST, OWN_NETWORK, check_charliecloud, without_network

# Variable with options, quoted for a shell, for runtimes that read none from variables.
OPTIONS = "BIDSLOOM_OPTIONS"
DOCKER_OPTIONS = "${{{{BIDSLOOM_OPTIONS:---tmpfs /tmp}}}}"
# Where the app finds them.  They are below `/tmp` because not every image has a
# mount point for them, and not every runtime can make one.
LICENSE = "/tmp/freesurfer_license.txt"
TEMPLATEFLOW = "/tmp/templateflow"
WORK_DIR = "/tmp/work"
# Mounts the outputs, then the dataset again as read-only: the app could write to
# all of Charliecloud's own mounts.
GUARD = (
    'for out in {outputs}; do mount --bind "$out" "$out" || exit 1; done; '
    'mount --rbind . . && cd "$PWD" && mount -o remount,bind,ro . && cd "$PWD" || exit 1; '
    'for git in {closed}; do mount --bind "$git" "$git" && '
    'mount -o remount,bind,ro "$git" || exit 1; done; exec "$@"'
)


class Runtime(str, Enum):
    """The program that runs an image; the values are those of `container.runtime`."""

    APPTAINER = "apptainer"
    SINGULARITY = "singularity"
    DOCKER = "docker"
    PODMAN = "podman"
    CHARLIECLOUD = "charliecloud"
    NONE = "none"

    @property
    def program(self) -> str:
        """The name of the program on PATH."""
        return "ch-run" if self is Runtime.CHARLIECLOUD else self.value

    @property
    def takes_sif(self) -> bool:
        """True for Apptainer, and for Singularity, its older name."""
        return self in (Runtime.APPTAINER, Runtime.SINGULARITY)

    @property
    def is_out_of_sight(self) -> bool:
        """True where the app is not among the processes that a job started."""
        return self in (Runtime.DOCKER, Runtime.PODMAN)


def choose_runtime(study: Study) -> Runtime:
    """The runtime of a study.

    `auto` means the runtime that the study's own call format names, else the
    first one on PATH that can run this kind of image, else one of
    `hpc.modules`, since a node may have a program that this machine lacks.

    Raises `WorkflowFailure` where none is found.
    """
    container = study.container
    if container.runtime != "auto":
        return Runtime(container.runtime)
    if container.call_fmt:
        return named_runtime(container.call_fmt) or Runtime.NONE
    fitting = (Runtime.APPTAINER, Runtime.SINGULARITY)
    if is_docker_archive(container.image):
        fitting = (Runtime.DOCKER, Runtime.PODMAN)
    for runtime in fitting:
        if shutil.which(runtime.program):
            return runtime
    if named := named_runtime(" ".join(study.resources.modules)):
        return named
    raise WorkflowFailure(
        f"No container runtime for {container.image} was found on PATH: looked for "
        f"{' and '.join(fitting)}.",
        hint=f"load its module (module load {fitting[0].value}) or install it, then try again; "
        "on a cluster, name the module in hpc.modules.",
    )


def check_runtime(study: Study, *, here: bool) -> None:
    """Refuse a missing runtime; unless jobs run `here`, a module may provide it on a node."""
    runtime = choose_runtime(study)
    if runtime is Runtime.CHARLIECLOUD:
        check_charliecloud(study)
    if runtime is Runtime.NONE or shutil.which(runtime.program):
        return
    if here or not study.resources.modules:
        raise WorkflowFailure(
            f"The container runtime {runtime.value} was not found on PATH "
            f"(looked for {runtime.program}).",
            hint=f"load its module (module load {runtime.value}) or install it, then try again; "
            "on a cluster, name the module in hpc.modules.",
        )


def named_runtime(text: str) -> Runtime | None:
    """The first runtime that a text names."""
    found = re.search(r"\b(apptainer|singularity|docker|podman|charliecloud|ch-run)\b", text)
    return found and Runtime("charliecloud" if found[1] == "ch-run" else found[1])


def is_docker_archive(image: str) -> bool:
    """True for a file that `docker save` made: a tar archive."""
    try:
        with Path(image).open("rb") as f:
            f.seek(257)
            return f.read(5) == b"ustar"
    except OSError:
        return False


def call_format(study: Study) -> str:
    """The call format for `datalad containers-add`.

    Two programs format it: containers-run fills in `{img}` and `{cmd}`; run,
    and every rerun, fill in `{{pwd}}` with their own folder.

    Raises `WorkflowFailure` where no runtime is found.
    """
    return with_ending(study, study.container.call_fmt or isolating_call(study))


def isolating_call(study: Study) -> str:
    """The call format that isolates, for the study's runtime."""
    container, runtime = study.container, choose_runtime(study)
    outputs = shlex.join(container.outputs)
    command = f"{shlex.join(container.executable)} {{cmd}}".lstrip()
    options = " ".join(options_for(study, runtime))
    # Only Docker cannot combine a `/tmp` of its own with the one that a job mounts there.
    given = DOCKER_OPTIONS if runtime is Runtime.DOCKER else f"${OPTIONS}"
    further = f'eval "set -- {given}" && '
    if runtime.takes_sif:
        verb = "exec" if container.executable else "run"
        call = f"{runtime.value} {verb} {options} {{img}} {command}"
    elif runtime is Runtime.CHARLIECLOUD:
        own, localhost = ("", "") if container.network else (OWN_NETWORK, LOCALHOST)
        closed = shlex.join(git_folders(study))
        guard = shlex.quote(localhost + GUARD.format(outputs=outputs, closed=closed))
        call = (
            f'{further}env USER="$(id -un)" unshare --user --map-root-user --mount {own}sh -c '
            f'{guard} guard ch-run {options} "$@" {{img}} -- {command}'
        )
    else:
        image = "docker-archive:{img}"
        if runtime is Runtime.DOCKER:
            image = "\"$(docker load -q -i {img} | sed 's/^Loaded image[^:]*: //')\""
        call = f'{further}{runtime.value} run {options} "$@" {image} {command}'
    return f"mkdir -p {outputs} && {call}"


def options_for(study: Study, runtime: Runtime) -> Iterator[str]:
    """Options that isolate the app, as the call format contains them."""
    container, gpu = study.container, bool(study.resources.gpus)
    mounted = [f'"{{{{pwd}}}}/{out}":"{{{{pwd}}}}/{out}"' for out in container.outputs]
    mounted += [f'"{{{{pwd}}}}/{git}":"{{{{pwd}}}}/{git}":ro' for git in git_folders(study)]
    if runtime.takes_sif:
        yield "--containall --no-home"
        yield '-B "{{pwd}}":"{{pwd}}":ro'
        yield from (f"-B {mount}" for mount in mounted)
        yield '--pwd "{{pwd}}"'
        if gpu:
            yield "--nv"
    elif runtime is Runtime.CHARLIECLOUD:
        # Only the image's own variables.  /tmp is private to the container, unless
        # a job, or a person who runs the record again, mounts another one.
        yield "--private-tmp --unset-env='*' --set-env --set-env=HOME=/root"
        yield '-b "$PWD:/mnt" -c /mnt'
    else:
        yield "--rm --read-only"
        if not container.network:
            yield "--network=none"
        if runtime is Runtime.DOCKER:
            yield '-u "$(id -u):$(id -g)"'
        yield '-v "{{pwd}}":"{{pwd}}":ro'
        yield from (f"-v {mount}" for mount in mounted)
        yield '-w "{{pwd}}"'
        if container.executable:
            yield '--entrypoint ""'
        if gpu:
            yield "--gpus all" if runtime is Runtime.DOCKER else "--device nvidia.com/gpu=all"


def git_folders(study: Study) -> list[str]:
    """Folders in the outputs that the app must not write to: `.git` of separate datasets."""
    return [f"{further.path}/.git" for further in study.further_outputs]


def dataset_roots(runtime: Runtime, dataset: Path) -> list[str]:
    """The absolute paths under which an app saw the dataset, by its own path and resolved."""
    seen = [str(dataset), os.path.realpath(dataset)]
    return [*seen, "/mnt"] if runtime is Runtime.CHARLIECLOUD else seen


def mounts(container: Container) -> list[Bind]:
    """Files and folders that are mounted besides the dataset."""
    found = list(container.binds)
    if container.freesurfer_license:
        found.append(Bind(container.freesurfer_license, LICENSE))
    if container.templateflow_home:
        found.append(Bind(container.templateflow_home, TEMPLATEFLOW))
    return found


def app_environment(study: Study, runtime: Runtime) -> dict[str, str]:
    """Variables that the app sees: the study's, and the paths of mounted files."""
    container = study.container
    bare = runtime is Runtime.NONE
    found = dict(study.resources.environment)
    if container.freesurfer_license:
        found["FS_LICENSE"] = str(container.freesurfer_license) if bare else LICENSE
    if container.templateflow_home:
        found["TEMPLATEFLOW_HOME"] = str(container.templateflow_home) if bare else TEMPLATEFLOW
    return found


def job_environment(study: Study, runtime: Runtime, scratch: Path) -> dict[str, str]:
    """The variables of a job which make mounts and variables reach the app.

    `scratch/tmp`, on the scratch disk, becomes the app's `/tmp`; the one that
    Apptainer makes itself has only 64 MB.
    """
    inside = app_environment(study, runtime)
    binds = mounts(study.container)
    if runtime is Runtime.NONE:
        return inside | {"TMPDIR": str(scratch / "tmp")}
    if runtime.takes_sif:
        given = {
            name: value for name, value in study.resources.environment if not is_for_app_alone(name)
        }
        for prefix in ("APPTAINER", "SINGULARITY"):
            # Apptainer expands these as a shell does between double quotes.
            given |= {
                f"{prefix}ENV_{name}": re.sub(r"([\\$`])", r"\\\1", value)
                for name, value in inside.items()
            }
            given[f"{prefix}_WORKDIR"] = str(scratch)
            if not study.container.network:
                given |= without_network(prefix)
            if binds:
                given[f"{prefix}_BIND"] = ",".join(mount_text(b) for b in binds)
        return given
    options = []
    if runtime is Runtime.CHARLIECLOUD:
        options += [f"--bind={scratch / 'tmp'}:/tmp"]
        options += [f"--bind={b.source}:{b.target}" for b in binds]
        # In a file, so that no value is visible in the list of processes.
        options += ["--env-no-expand", f"--set-env={environment_file(scratch)}"]
    else:
        options += [f"--volume={scratch / 'tmp'}:/tmp"]
        options += [f"--volume={mount_text(b)}" for b in binds]
        # Only the name, so that the value is not visible in the list of processes.
        options += [
            f"--env={name}={value}" if is_for_app_alone(name) else f"--env={name}"
            for name, value in inside.items()
        ]
    given = {name: value for name, value in inside.items() if not is_for_app_alone(name)}
    return given | {OPTIONS: shlex.join(options)}


def environment_file(scratch: Path) -> Path:
    """Where Charliecloud reads the app's variables from."""
    return scratch / "environment"


def write_environment_file(study: Study, runtime: Runtime, scratch: Path) -> None:
    """Write the app's variables for Charliecloud, in a file that only this user can read."""
    if runtime is Runtime.CHARLIECLOUD:
        # Charliecloud takes off one pair of quotes, and knows no escapes.
        lines = [f"{name}='{value}'\n" for name, value in app_environment(study, runtime).items()]
        write_text(environment_file(scratch), "".join(lines), private=True)


def mount_text(bind: Bind) -> str:
    """A mount as Apptainer, podman and docker write it."""
    return f"{bind.source}:{bind.target}:{'rw' if bind.writable else 'ro'}"


def start_failure(runtime: Runtime, exit_code: int, said: list[str]) -> str | None:
    """The runtime's own error message where the runtime failed; None where the app did.

    An exit code is not enough to decide: Apptainer ends with 255, podman and
    docker with 125 to 127, Charliecloud with 1, but an app may use them too.
    """
    marks = {
        Runtime.APPTAINER: ((255,), r"FATAL:\s+"),
        Runtime.SINGULARITY: ((255,), r"FATAL:\s+"),
        Runtime.PODMAN: ((125, 126, 127), r"Error: "),
        Runtime.DOCKER: ((125, 126, 127), r"docker: Error|docker: |Unable to find image"),
        Runtime.CHARLIECLOUD: ((1, 31, 32, 57, 58), r"(ch-run\[\d+\]: error: |unshare: |mount: )"),
    }
    codes, pattern = marks.get(runtime, ((), ""))
    if exit_code == 127 and runtime is not Runtime.NONE:
        pattern = rf"{pattern}|\S*sh: .*not found"
    elif exit_code not in codes:
        return None
    own = [line for line in said[-5:] if re.match(pattern, line)]
    return own[-1].strip() if own else None


def mount_places(study: Study, runtime: Runtime, temporary: Path) -> tuple[list[Path], list[Path]]:
    """Folders and files that must exist before the app starts; the first is its `/tmp`.

    Charliecloud needs mount points that exist; the other runtimes make them.
    """
    folders = [temporary]
    files: list[Path] = []
    for bind in mounts(study.container) if runtime is Runtime.CHARLIECLOUD else ():
        if bind.target.startswith("/tmp/"):
            path = temporary / bind.target.removeprefix("/tmp/")
            (folders if bind.source.is_dir() else files).append(path)
            folders.append(path.parent)
    return folders, files


def scratch_folder(clone: Path) -> Path:
    """The app's scratch folder: beside the clone, on the scratch disk."""
    return clone.with_name("scratch")
