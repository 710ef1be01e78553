"""Paths and URLs of a configuration: whether they can be used, and whether they fit together."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..base.errors import WorkflowFailure
from .plain_values import shown
from .text_files import special_kind
from .values import as_list, is_local_path, resolve_path, value_at

LONGEST_NAME, LONGEST_PATH = 255, 4000
# git runs the program that such a URL names.
PROGRAM_URLS = ("ext::", "fd::")
SETS_OF_FILES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Given:
    """A path or URL of a configuration; `kind` is what it is for."""

    key: str
    text: str
    kind: str


def list_places(config: Mapping) -> Iterator[Given]:
    """Every path and URL that a configuration names."""

    def at(kind: str, *keys: str) -> Iterator[Given]:
        value = value_at(config, *keys)
        if isinstance(value, str) and value:
            yield Given(".".join(keys), value, kind)

    yield from at("folder", "common", "work_dir")
    yield from at("input", "datalad", "input_repo")
    yield from at("imports", "datalad", "import_folder")
    for n, given in enumerate(as_list(value_at(config, "datalad", "inputs") or [])):
        if isinstance(repo := value_at(given, "repo"), str) and repo:
            yield Given(f"datalad.inputs.{n}.repo", repo, "input")
    for n, repo in enumerate(as_list(value_at(config, "datalad", "output_repos") or [])):
        if isinstance(repo, str) and repo:
            yield Given(f"datalad.output_repos.{n}", repo, "store")
    for n, output in enumerate(as_list(value_at(config, "container", "outputs") or [])):
        if isinstance(repo := value_at(output, "repo"), str) and repo:
            yield Given(f"container.outputs.{n}.repo", repo, "store")
    yield from at("lock", "datalad", "lock_file")
    yield from at("file", "datalad", "credentials_file")
    yield from at("file", "subjects", "include")
    yield from at("file", "subjects", "exclude")
    yield from at("containers", "container", "dataset")
    if not value_at(config, "container", "dataset"):
        yield from at("image", "container", "image")
    yield from at("file", "container", "freesurfer_license")
    yield from at("folder", "container", "templateflow_home")
    expects = value_at(config, "container", "expects")
    if isinstance(expects, str) and ("/" in expects or expects.endswith(SETS_OF_FILES)):
        yield Given("container.expects", expects, "file")
    for n, bind in enumerate(as_list(value_at(config, "container", "binds") or [])):
        if isinstance(bind, str) and bind.partition(":")[0]:
            yield Given(f"container.binds.{n}", bind.partition(":")[0], "folder")
    yield from at("file", "notify", "urls_file")


def find_place_faults(config: Mapping, base: Path) -> Iterator[WorkflowFailure]:
    """Paths and URLs that cannot be used, alone or together."""
    usable: list[tuple[Given, Path | None]] = []
    for given in list_places(config):
        found = [*text_faults(given, base)]
        yield from found
        if not found:
            usable.append((given, location(given, base)))
            yield from file_faults(*usable[-1])
    yield from image_faults(config)
    yield from find_overlaps(config, usable, base)


def text_faults(given: Given, base: Path) -> Iterator[WorkflowFailure]:
    """Why a text is no usable path or URL."""
    value = f"{given.key} is {shown(given.key, given.text)}"
    text = given.text
    if "\0" in text or "\n" in text or "\r" in text:
        return  # said already
    if not is_local_path(text) and given.kind in ("input", "store", "containers", "image"):
        host = host_of(text)
        try:
            urlsplit(text)
        except ValueError as e:
            yield WorkflowFailure(f"{value}, which is no URL: {e}.", hint="write it again.")
            return
        if text.startswith(PROGRAM_URLS):
            yield WorkflowFailure(
                f"{value}, a URL with which git runs a program.",
                hint="give a path, or a URL that starts with file://, https:// or ssh://.",
            )
        elif text.startswith("-") or host.startswith("-"):
            yield WorkflowFailure(
                f"{value}, which a program would take for an option.",
                hint="give a path, or a URL that starts with file://, https:// or ssh://.",
            )
        elif given.kind == "store" and text.startswith("ria+") and not is_ria_label(text):
            yield WorkflowFailure(
                f"{value}, whose part after '#' is neither an alias nor a dataset id.",
                hint="write ria+file:///path/of/the/store#~alias, with letters, digits, "
                "'-', '_' and '.' in the alias.",
            )
        return
    try:
        path = resolve_path(text, base)
    except (ValueError, RuntimeError) as e:
        yield WorkflowFailure(
            f"{value}, whose home folder is not known: {e}.",
            hint="check the name after '~', or write the path in full.",
        )
        return
    if len(os.fsencode(path)) > LONGEST_PATH or any(
        len(os.fsencode(part)) > LONGEST_NAME for part in path.parts
    ):
        yield WorkflowFailure(
            f"{value}; no file can have so long a name.",
            hint=f"a name has at most {LONGEST_NAME} bytes, a path {LONGEST_PATH}.",
        )


def host_of(url: str) -> str:
    """The host of a URL or of `host:path`, without the user's name."""
    rest = url.partition("://")[2] if "://" in url else url
    return re.split(r"[/:#?]", rest.rpartition("@")[2] if "@" in rest else rest, maxsplit=1)[0]


def is_ria_label(url: str) -> bool:
    """Whether a RIA URL names a dataset by a plain alias, by its id, or leaves it to us."""
    label = unquote(url.partition("#")[2])
    return not label or bool(
        re.fullmatch(r"~[A-Za-z0-9_][A-Za-z0-9._-]{0,199}|[0-9a-fA-F-]{8,}", label)
    )


def location(given: Given, base: Path) -> Path | None:
    """The folder or file that a path or URL names on this machine, links resolved; else None."""
    text = given.text
    if is_local_path(text):
        return Path(os.path.realpath(resolve_path(text, base)))
    scheme, _, _ = text.partition("://")
    if scheme not in ("file", "ria+file"):
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    path = Path(unquote(parts.path))
    if scheme == "ria+file":
        label = unquote(parts.fragment).partition("@")[0]
        if not label:
            return None
        path = path / "alias" / label[1:] if label[0] == "~" else path / label[:3] / label[3:]
    if "\0" in str(path):
        return None
    return Path(os.path.realpath(path))


def file_faults(given: Given, path: Path | None) -> Iterator[WorkflowFailure]:
    """Special files in place of files: a fifo would let its reader wait for ever."""
    if path is None or given.kind not in ("file", "lock", "image"):
        return
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # looked at later, with all others
    if stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and given.kind != "lock"):
        return
    what = special_kind(mode)
    hint = "name a file that a job can lock; it is made if it is missing."
    yield WorkflowFailure(
        f"{given.key} is {shown(given.key, given.text)}, which is {what}; expected: a file.",
        hint=hint if given.kind == "lock" else "give the path of the file itself.",
    )


def image_faults(config: Mapping) -> Iterator[WorkflowFailure]:
    """The path of an image in a dataset that leads out of it."""
    image = value_at(config, "container", "image")
    if not isinstance(image, str) or not value_at(config, "container", "dataset"):
        return
    parts = image.split("/")
    if "://" not in image and ({"", ".", ".."} & set(parts) or image.startswith("-")):
        yield WorkflowFailure(
            f"container.image is {shown('container.image', image)}; expected: a path inside "
            "container.dataset.",
            hint="for example images/bids/bids-fmriprep--25.1.4.sif.",
        )


def find_overlaps(
    config: Mapping, usable: list[tuple[Given, Path | None]], base: Path
) -> Iterator[WorkflowFailure]:
    """Folders that would be written into each other."""
    stores = [(given, path) for given, path in usable if given.kind == "store"]
    inputs = [(given, path) for given, path in usable if given.kind in ("input", "containers")]
    for number, (given, path) in enumerate(stores):
        for other, place in stores[:number]:
            if given.text != other.text and same_store(given, path, other, place):
                yield WorkflowFailure(
                    f"{given.key} and {other.key} are the same repository, "
                    f"{path or shown(given.key, given.text)}.",
                    hint="give each output dataset a repository of its own.",
                )
            elif path and place and path != place and is_inside(path, place, either=True):
                yield WorkflowFailure(
                    f"{given.key} and {other.key} are inside each other.",
                    hint="give each output dataset a folder of its own.",
                )
        if path is None:
            continue
        for other, place in inputs:
            if place and is_inside(path, place, either=True):
                yield WorkflowFailure(
                    f"{given.key} ({path}) and {other.key} ({place}) are the same folder, or one "
                    "is inside the other.",
                    hint="results are never written into an input; name a folder beside it.",
                )
        results = Path(os.path.realpath(base / "results"))
        if is_inside(path, results, either=True):
            yield WorkflowFailure(
                f"{given.key} ({path}) is inside {results}, or the other way round; there the "
                "workflow keeps clones that can be deleted at any time.",
                hint="name a folder outside of results/.",
            )
    for given, path in usable:
        results = Path(os.path.realpath(base / "results"))
        if given.kind == "imports" and path and is_inside(path, results):
            yield WorkflowFailure(
                f"{given.key} ({path}) is inside {results}, which can be deleted at any time; "
                "results name the datasets that are kept there.",
                hint="name a folder outside of results/.",
            )
    yield from find_scratch_overlaps(config, stores + inputs, base)


def find_scratch_overlaps(
    config: Mapping, datasets: list[tuple[Given, Path | None]], base: Path
) -> Iterator[WorkflowFailure]:
    """A scratch folder inside a dataset, where its clones would be taken for content."""
    text = value_at(config, "common", "work_dir")
    try:
        scratch = resolve_path(text if isinstance(text, str) else tempfile.gettempdir(), base)
        scratch = Path(os.path.realpath(scratch))
    except (ValueError, RuntimeError):
        return  # said already
    for given, path in datasets:
        if path and is_inside(scratch, path):
            yield WorkflowFailure(
                f"common.work_dir ({scratch}) is {given.key} ({path}), or is inside it.",
                hint="name a folder of its own, best on a disk of the node itself.",
            )


def same_store(given: Given, path: Path | None, other: Given, place: Path | None) -> bool:
    """Whether two URLs name one repository."""
    if path or place:
        return path == place
    return normal_url(given.text) == normal_url(other.text)


def normal_url(url: str) -> str:
    """A URL without what makes no difference: a slash or `.git` at its end, the host's case."""
    scheme, separator, rest = url.rstrip("/").removesuffix(".git").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{re.sub('/+', '/', path)}"


def is_inside(path: Path, folder: Path, *, either: bool = False) -> bool:
    """Whether a path is a folder or inside it; with `either`, also the other way round."""
    return path.is_relative_to(folder) or (either and folder.is_relative_to(path))
