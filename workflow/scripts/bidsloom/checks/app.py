"""Start the app as jobs do: whether it starts, and which version it is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..base.files import read_json, write_json
from ..base.runners import PYTHON, call
from ..config import Study
from ..containers.image import find_image, image_path, prepared_image
from ..containers.image_labels import labelled_version, read_labels
from ..containers.runtimes import (
    Runtime,
    call_format,
    choose_runtime,
    git_folders,
    job_environment,
    mount_places,
    scratch_folder,
    start_failure,
    write_environment_file,
)
from ..datasets.stores import last_line
from ..records.prepared import Prepared, read_prepared
from .findings import Caution
from .trial_folder import trial_folder

# An image of some GB on a busy file system needs minutes to start.
CONTAINER_SECONDS = 600
# A merge does without the version that takes longer.
VERSION_SECONDS = 120


@dataclass(frozen=True)
class AppFacts:
    """An app's version, empty where it is not known, and the labels of its image."""

    image: str = ""
    version: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def try_container(study: Study) -> str:
    """Start the app as jobs do, and return what it prints for `--version` or `--help`.

    Raises `WorkflowFailure` where it does not start, and `Caution` where it
    answers neither, or the image is not here yet.
    """
    prepared = read_prepared(study)
    image = find_image(study, prepared=prepared.image if prepared else None)
    if image is None:
        raise Caution(
            f"The image {study.container.image} is not here yet.",
            hint="snakemake --cores 1 prepare_study fetches it; then check again.",
        )
    runtime = choose_runtime(study)
    with trial_folder(study) as folder:
        dataset = folder / "dataset"
        lay_out_app(study, runtime, dataset, image)
        for flag in ("--version", "--help"):
            try:
                said = start_app(study, runtime, dataset, flag)
            except CommandError as e:
                ended = e
            else:
                if flag == "--version" and prepared:
                    note_version(study, prepared, image, version_in(said))
                return f"answers {flag}: {(said.strip() or '(nothing)').splitlines()[0][:100]}"
    name, lines = study.container.name, ended.stderr.splitlines()
    words = start_failure(runtime, ended.exit_code, lines)
    if words or did_not_start(ended):
        raise WorkflowFailure(
            f"{name} does not start: {words or last_line(ended.stderr)}",
            hint="check that container.image is complete, and that container.runtime, call_fmt and "
            "executable are right.",
            failure_class=FailureClass.NODE_FAILURE,
        )
    raise Caution(
        f"{name} answers neither --version nor --help (exit code {ended.exit_code}): "
        f"{last_line(ended.stderr)[:200]}",
        hint="a BIDS App should; if it does when you start it by hand, check container.executable.",
    )


def lay_out_app(study: Study, runtime: Runtime, dataset: Path, image: Path) -> None:
    """Make a folder with everything that the call format needs of a job's clone."""
    link = dataset / image_path(study)
    link.parent.mkdir(parents=True)
    link.symlink_to(image)
    folders, files = mount_places(study, runtime, scratch_folder(dataset) / "tmp")
    for path in [*folders, *(dataset / closed for closed in git_folders(study))]:
        path.mkdir(parents=True, exist_ok=True)
    for path in files:
        path.touch()


def start_app(
    study: Study,
    runtime: Runtime,
    dataset: Path,
    *arguments: str,
    seconds: float = CONTAINER_SECONDS,
) -> str:
    """Run the app with some arguments by the study's call format, and return what it prints.

    Raises `CommandError` where it fails or takes too long.
    """
    image = image_path(study)
    # It is formatted twice: first as containers-run does it, then as DataLad's run does.
    once = call_format(study).format(
        python=PYTHON,
        img=image,
        cmd=shlex.join(arguments),
        img_dspath=".",
        img_dirpath=str(Path(image).parent),
    )
    line = once.format(pwd=dataset, dspath=dataset, tmpdir=scratch_folder(dataset) / "tmp")
    write_environment_file(study, runtime, scratch_folder(dataset))
    environment = job_environment(study, runtime, scratch_folder(dataset))
    command = ["/bin/sh", "-c", line]
    return call(command, cwd=dataset, env=environment, timeout=seconds).decode(errors="replace")


def know_app(study: Study, prepared: Prepared) -> AppFacts:
    """The app's facts, found out where no earlier merge or check has done so.

    Where this machine cannot start the app, its version stays unknown until a
    machine that can is asked.
    """
    known = read_json(study.files.app)
    if known and known["image"] == prepared.image:
        return AppFacts(**known)
    image = prepared_image(study)
    if image is None:
        return AppFacts()
    try:
        version = ask_version(study, prepared.runtime, image)
    except WorkflowFailure:
        labels = read_labels(image, prepared.runtime)
        return AppFacts(version=labelled_version(labels), labels=labels)
    return note_version(study, prepared, image, version)


def note_version(study: Study, prepared: Prepared, image: Path, version: str) -> AppFacts:
    """Keep the app's version for merges and reports, and the labels of its image."""
    labels = read_labels(image, prepared.runtime)
    facts = AppFacts(prepared.image, labelled_version(labels) or version, labels)
    write_json(study.files.app, asdict(facts))
    return facts


def ask_version(study: Study, runtime: Runtime, image: Path) -> str:
    """What the app answers to `--version`, without its name; empty where it answers nothing.

    Raises `WorkflowFailure` where it does not start here.
    """
    with trial_folder(study) as folder:
        dataset = folder / "dataset"
        lay_out_app(study, runtime, dataset, image)
        try:
            said = start_app(study, runtime, dataset, "--version", seconds=VERSION_SECONDS)
        except CommandError as e:
            if did_not_start(e) or start_failure(runtime, e.exit_code, e.stderr.splitlines()):
                raise WorkflowFailure(f"{study.container.name} does not start here.") from e
            return ""
    return version_in(said)


def did_not_start(error: CommandError) -> bool:
    """True where a shell cannot run, or cannot find, a program, or it was killed."""
    return error.exit_code < 0 or error.exit_code in (126, 127)


def version_in(answer: str) -> str:
    """The version in what a program says of it: the first word that starts with a number."""
    for word in answer.split():
        if match := re.fullmatch(r"[vV]?(\d[\w.+!-]*)[,;)]?", word):
            return match[1]
    return ""
