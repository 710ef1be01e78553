"""What is looked at where jobs run: on a node of the cluster, or here.

The rule `check_node` takes these looks before the first jobs of a day, and
whenever somebody asks for the target `check`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..config import Study
from ..containers.runtimes import Runtime, choose_runtime
from ..datasets.clones import pin_further, pin_input
from ..datasets.output_datasets import all_targets
from ..records.prepared import read_prepared
from ..units.listing import cached_units
from ..units.unit import Units
from .at_start import looks_at_place, name_of, scratch_look, tell_runtime
from .bids_validator import has_validator, validate_sample
from .findings import Finding, Look, failures, take
from .lock_file import check_lock
from .machine import check_modules, check_work_dir
from .trials import try_container, try_input, try_store


def look_on_node(study: Study) -> list[Finding]:
    """What a job will meet in this place; nothing is tried where something is missing."""
    # Both were done when Snakemake started, and are read from its notes.
    commit = pin_input(study)
    units = cached_units(study, commit, pin_further(study))
    found: list[Finding] = []
    for looks in (runtime_looks, looks_before_trials, trials):
        found += take(looks(study, units), telling=True)
        if failures(found):
            break
    return found


def runtime_looks(study: Study, units: Units) -> Iterator[Look]:
    """Whether anything here runs the image."""
    yield Look(
        "container.runtime",
        "its program on PATH",
        tell=lambda: tell_runtime(runtime_here(study)),
    )


def runtime_here(study: Study) -> Runtime:
    """The runtime that jobs use; the choice is made where the study is prepared."""
    prepared = read_prepared(study)
    if prepared and study.container.runtime == "auto" and not study.container.call_fmt:
        return prepared.runtime
    return choose_runtime(study)


def looks_before_trials(study: Study, units: Units) -> Iterator[Look]:
    """Programs, mounts and the scratch folder."""
    if study.resources.modules:
        yield Look("hpc.modules", "loaded", lambda: check_modules(study))
    yield from looks_at_place(study, runtime_here(study))
    yield Look("common.work_dir", "a folder to write to", lambda: check_work_dir(study.work_dir))
    yield scratch_look(study, units)


def trials(study: Study, units: Units) -> Iterator[Look]:
    """What a job does, in small."""
    smallest = min(units.units, key=lambda unit: unit.bytes)
    yield Look(
        "container",
        "starts, and answers --version or --help",
        tell=lambda: try_container(study),
    )
    yield Look(
        "datalad.input_repo",
        "a file can be fetched",
        tell=lambda: try_input(study, units.commit, smallest),
    )
    for target in all_targets(study):
        yield Look(
            name_of(target),
            "a commit goes there and back",
            tell=lambda target=target: try_store(study, target.store),
        )
    prepared = read_prepared(study)
    if prepared and (token := prepared.lock_token):
        yield Look(
            "datalad.lock_file",
            "the file that the study was prepared with",
            lambda: check_lock(study, token),
            lambda: str(study.lock_file),
        )
    if has_validator():
        yield Look(
            "BIDS", "no errors by bids-validator", tell=lambda: validate_sample(study, units)
        )
