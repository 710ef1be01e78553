"""The checks that run where jobs run: on a node of the cluster, or on this machine.

The rule `check_node` runs them before the first jobs of a day, and for the
target `check`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..base.errors import refuse
from ..base.files import write_json
from ..config import Study
from ..containers.runtimes import Runtime, choose_runtime
from ..datasets.clones import pin_further, pin_input
from ..datasets.output_datasets import list_outputs, main_output
from ..records.prepared import read_prepared
from ..units.listing import cached_units, subjects_of_patterns
from ..units.unit import Units
from .app import try_container
from .at_start import checks_on_machine, name_of, scratch_check, tell_runtime
from .bids_validator import has_validator, validate_sample
from .content_trial import try_content
from .findings import Check, Finding, failures, run_checks, write_findings
from .input_trials import try_input
from .lock_file import check_lock
from .machine import check_modules, check_work_dir
from .merged_bids import tell_merged_bids
from .store_trial import try_store


def check_this_node(study: Study) -> list[Finding]:
    """Run all checks here; if one fails, those that depend on it are not run."""
    # Snakemake cloned and listed at its start; here the results are read from files.
    commit = pin_input(study, anew=False)
    units = cached_units(
        study, commit, pin_further(study, subjects_of_patterns(study, commit), anew=False)
    )
    found: list[Finding] = []
    for checks in (runtime_checks, checks_before_trials, trials):
        found += run_checks(checks(study, units), telling=True)
        if failures(found):
            break
    return found


def record_check(study: Study, output: Path) -> None:
    """Run all checks here, record what they found, and write the rule's output if none fails.

    Raises the failures.
    """
    findings = check_this_node(study)
    write_findings(study.files.findings("node"), findings)
    refuse(failures(findings))
    write_json(output, {"node": findings[0].where})


def runtime_checks(study: Study, units: Units) -> Iterator[Check]:
    """The check that a program here can run the image."""
    yield Check(
        "container.runtime",
        "its program on PATH",
        tell=lambda: tell_runtime(runtime_here(study)),
    )


def runtime_here(study: Study) -> Runtime:
    """The runtime that jobs use; it was chosen when the study was prepared.

    Raises `WorkflowFailure` where the study is not prepared and none is found.
    """
    prepared = read_prepared(study)
    if prepared and study.container.runtime == "auto" and not study.container.call_fmt:
        return prepared.runtime
    return choose_runtime(study)


def checks_before_trials(study: Study, units: Units) -> Iterator[Check]:
    """The checks of programs, mounts and the scratch folder."""
    if study.resources.modules:
        yield Check("hpc.modules", "loaded", lambda: check_modules(study))
    yield from checks_on_machine(study, runtime_here(study))
    yield Check("common.work_dir", "a folder to write to", lambda: check_work_dir(study.work_dir))
    yield scratch_check(study, units)


def trials(study: Study, units: Units) -> Iterator[Check]:
    """Small trials of what a job does."""
    # Of a dataset that was not looked into, no bytes are known.
    smallest = min(units.units, key=lambda unit: (not unit.bytes, unit.bytes))
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
    for output in list_outputs(study):
        yield Check(
            name_of(output),
            "a commit can be pushed and read back",
            tell=partial(try_store, study, output.store),
        )
    output = main_output(study)
    if output.store.content:
        yield Check(
            "datalad.output_content",
            "a file can be sent and found",
            tell=lambda: try_content(study, output),
        )
    prepared = read_prepared(study)
    if prepared and (token := prepared.lock_token):
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
        yield Check(
            "BIDS of the results",
            "no errors by bids-validator",
            tell=lambda: tell_merged_bids(study),
        )
