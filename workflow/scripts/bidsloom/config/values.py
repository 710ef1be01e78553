"""Values as configuration files write them: defaults, paths and URLs, memory, time, flags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..base.credentials import public_url


def value_at(config: Any, *keys: str) -> Any:
    """The value under nested keys, or None."""
    for key in keys:
        if not isinstance(config, Mapping):
            return None
        config = config.get(key)
    return config


def as_list(value: Any) -> list:
    """A scalar as a list of one."""
    return value if isinstance(value, list) else [value]


def fill_defaults(config: Mapping, schema: Mapping) -> dict:
    """`config` with the schema's defaults where a key is missing."""
    filled = dict(config)
    for key, sub in schema.get("properties", {}).items():
        if key not in filled and "default" in sub:
            filled[key] = sub["default"]
        if key in filled and "properties" in sub:
            filled[key] = fill_defaults(filled[key], sub)
    return filled


def app_arguments(arguments: Mapping) -> Iterator[str]:
    """A BIDS App's flags: `n_cpus: 8` becomes `--n_cpus 8`."""
    for name, value in arguments.items():
        if value is None or value is False or value == []:
            continue
        yield name if name.startswith("-") else f"--{name}"
        if value is not True:
            yield from (str(v) for v in as_list(value))


def parse_memory(text: str | int) -> int:
    """Megabytes in `32G`, `512M`, `4000`.  Raises `ValueError` for any other text."""
    match = re.fullmatch(r"([\d.]+)\s*([KMGT]?)i?B?", str(text))
    if match is None:
        raise ValueError(f"{text!r} is not an amount of memory")
    scale = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024**2}[match[2]]
    return max(1, round(float(match[1]) * scale))


def parse_time(text: str) -> int:
    """Minutes in `24:00:00`, `1-12:00:00`, `90min`, rounded up.

    Two numbers are hours and minutes if they follow a number of days
    (`1-12:30`), else minutes and seconds (`90:00`), as for sbatch.
    """
    if match := re.fullmatch(r"(\d+)(min|[smhd])", text):
        seconds = int(match[1]) * {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}[match[2]]
    else:
        days, _, clock = text.rpartition("-")
        parts = [int(p) for p in clock.split(":")]
        if len(parts) == 2:
            parts = [*parts, 0] if days else [0, *parts]
        seconds = int(days or 0) * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2]
    return max(1, -(-seconds // 60))


def resolve_path(text: str, base: Path) -> Path:
    """An absolute path; variables and `~` are expanded."""
    return Path(os.path.normpath(base / Path(os.path.expandvars(text)).expanduser()))


def optional_path(text: str, base: Path) -> Path | None:
    """An absolute path, None for an empty text."""
    return resolve_path(text, base) if text else None


def is_local_path(url: str) -> bool:
    """True for a path, False for a URL or `host:path`."""
    return "://" not in url and not re.match(r"^[^/]+:(?!/{2})", url)


def local_path(url: str) -> Path | None:
    """The path that a path or a `file://` URL names; None for any other URL."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    return Path(url) if is_local_path(url) else None


def resolve_url(url: str, base: Path) -> str:
    """A URL without its credentials, a path made absolute."""
    return str(resolve_path(url, base)) if is_local_path(url) else public_url(url)


def output_repositories(config: Mapping) -> dict[str, str]:
    """Output folder -> its own repository, empty where it has none.

    Older configurations list the further repositories under
    `datalad.output_repos`, in the order of the outputs.
    """
    container = config["container"]
    found = {}
    further = config["datalad"]["output_repos"]
    for n, output in enumerate(container["outputs"]):
        if isinstance(output, Mapping):
            found[output["path"]] = output["repo"]
        else:
            found[output] = further[n] if 0 < n < len(further) else ""
    return found
