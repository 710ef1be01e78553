"""What is looked at where jobs run: on a node of the cluster, or here.

The rule `check_node` takes these looks before the first jobs of a day, and
whenever somebody asks for the target `check`.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..base.files import read_json
from ..config import Study
from ..containers.runtimes import Runtime, choose_runtime
from ..datasets.clones import pin_further, pin_input
from ..datasets.output_datasets import list_outputs
from ..units.listing import cached_units
from ..units.unit import Units
from .at_start import checks_on_machine, name_of, scratch_check, tell_runtime
from .bids_validator import has_validator, validate_sample
from .findings import Check, Finding, failures, run_checks
from .lock_file import check_lock
from .machine import check_modules, check_work_dir
from .trials import try_container, try_input, try_store


def check_this_node(study: Study) -> list[Finding]:
    """What a job will meet in this place; nothing is tried where something is missing."""
    # Both were done when Snakemake started, and are read from its notes.
    commit = pin_input(study)
    units = cached_units(study, commit, pin_further(study))
    found: list[Finding] = []
    for looks in (runtime_checks, checks_before_trials, trials):
        found += run_checks(looks(study, units), telling=True)
        if failures(found):
            break
    return found


def runtime_checks(study: Study, units: Units) -> Iterator[Check]:
    """Whether anything here runs the image."""
    yield Check(
        "container.runtime",
        "its program on PATH",
        tell=lambda: tell_runtime(runtime_here(study)),
    )


def runtime_here(study: Study) -> Runtime:
    """The runtime that jobs use; the choice is made where the study is prepared."""
    prepared = read_json(study.results / "prepared.json")
    if prepared and study.container.runtime == "auto" and not study.container.call_fmt:
        return Runtime(prepared["runtime"])
    return choose_runtime(study)


def checks_before_trials(study: Study, units: Units) -> Iterator[Check]:
    """Programs, mounts and the scratch folder."""
    if study.resources.modules:
        yield Check("hpc.modules", "loaded", lambda: check_modules(study))
    yield from checks_on_machine(study, runtime_here(study))
    yield Check("common.work_dir", "a folder to write to", lambda: check_work_dir(study.work_dir))
    yield scratch_check(study, units)


def trials(study: Study, units: Units) -> Iterator[Check]:
    """What a job does, in small."""
    smallest = min(units.units, key=lambda unit: unit.bytes)
    yield Check(
        "container",
        "starts, and answers --version or --help",
        tell=lambda: try_container(study),
    )
    yield Check(
        "datalad.input_repo",
        "a file can be fetched",
        tell=lambda: try_input(study, units.commit, smallest),
    )
    for target in list_outputs(study):
        yield Check(
            name_of(target),
            "a commit goes there and back",
            tell=lambda target=target: try_store(study, target.store),
        )
    token = (read_json(study.results / "prepared.json") or {}).get("lock_token")
    if token:
        yield Check(
            "datalad.lock_file",
            "the file that the study was prepared with",
            lambda: check_lock(study, token),
            lambda: str(study.lock_file),
        )
    if has_validator():
        yield Check(
            "BIDS", "no errors by bids-validator", tell=lambda: validate_sample(study, units)
        )
