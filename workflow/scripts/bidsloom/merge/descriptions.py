"""Complete a `dataset_description.json` with what its author left out.  Pure.

What a file says already stays, except links to the folder of a job that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BIDS_VERSION = "1.11.1"


@dataclass(frozen=True)
class About:
    """What is known of the results of a study.

    `generators` are the app and what ran it, `sources` the inputs, each as BIDS
    describes them.  `inputs` and `outputs` are names for BIDS URIs, with the
    paths of these datasets in the output dataset.  `licence` and `authors` are
    those of the input.
    """

    name: str
    generators: Sequence[Mapping[str, Any]]
    sources: Sequence[Mapping[str, str]] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""
    authors: Sequence[str] = ()


def complete(
    own: Mapping[str, Any], about: About, *, kind: str, links: Mapping[str, str]
) -> dict[str, Any]:
    """A description with all that BIDS recommends, as far as it is known.

    `kind` is its `DatasetType`, `links` are the paths of datasets that it
    refers to, relative to its own folder.
    """
    known = {
        "Name": about.name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": kind,
        "License": about.licence,
        "Authors": list(about.authors),
    }
    found = fill(own, {key: value for key, value in known.items() if value})
    further = {
        "GeneratedBy": complete_generators(own.get("GeneratedBy"), about.generators),
        "SourceDatasets": complete_sources(own.get("SourceDatasets"), about.sources),
        "DatasetLinks": complete_links(own.get("DatasetLinks"), links),
    }
    return {**found, **{key: value for key, value in further.items() if value}}


def fill(own: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with the known values that it lacks, also in the mappings that it holds."""
    found = dict(own)
    for key, value in known.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = fill(found[key], value)
        elif not found.get(key):
            found[key] = value
    return found


def complete_generators(own: Any, known: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What made a dataset: the app's own entry is completed, others are added."""
    found = list(own) if isinstance(own, list) else []
    names = [plain_name(entry) for entry in found]
    app, *others = known
    # An app names itself first; the study may have another name for it.
    at = names.index(plain_name(app)) if plain_name(app) in names else 0
    if not found:
        found = [dict(app)]
    elif isinstance(found[at], Mapping):
        found[at] = fill(found[at], app)
    return found + [dict(other) for other in others if plain_name(other) not in names]


def plain_name(entry: Any) -> str:
    """The name of a program, without what may be spelled otherwise."""
    name = entry.get("Name", "") if isinstance(entry, Mapping) else ""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def complete_sources(own: Any, known: Sequence[Mapping[str, str]]) -> list[Any]:
    """Source datasets: an entry of the same URL or DOI is completed, others are added."""
    found = list(own) if isinstance(own, list) else []
    for source in known:
        for at, entry in enumerate(found):
            if isinstance(entry, Mapping) and is_same_source(entry, source):
                found[at] = fill(entry, source)
                break
        else:
            found.append(dict(source))
    return found


def is_same_source(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where two entries have the same DOI or URL."""
    names = [
        (plain_doi(entry.get("DOI")), str(entry.get("URL", "")).rstrip("/").removesuffix(".git"))
        for entry in (one, other)
    ]
    return any(a and a == b for a, b in zip(*names, strict=True))


def plain_doi(text: Any) -> str:
    """A DOI without `doi:` or the address of a server; empty where a text holds none."""
    match = re.search(r"10\.\d{4,}/\S+", str(text or ""))
    return match[0].lower() if match else ""


def complete_links(own: Any, links: Mapping[str, str]) -> dict[str, Any]:
    """Where the datasets of BIDS URIs lie; an app may have named the folder of its job."""
    found = dict(own) if isinstance(own, Mapping) else {}
    for name, value in found.items():
        path = str(value).removeprefix("file://")
        for link in links.values():
            if path.startswith("/") and path.endswith(f"/{link.lstrip('./')}"):
                found[name] = link
    return {**links, **found}
