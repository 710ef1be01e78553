"""Whether results can be computed again: some units, drawn at random, as a stranger would.

Each in a fresh clone of the output store, by `datalad rerun` of the unit's own
commit, started from what its job started from.  What the rerun wrote is
compared with what that commit wrote, blob by blob; an annexed file's blob
names its key.  Main is not compared with: of a file that all units share it
holds the first one's.
"""

from __future__ import annotations

import logging
import random
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..base.errors import CommandError, WorkflowFailure
from ..base.runners import PRIVATE, call, call_datalad, call_git, end_processes_in
from ..config import Study
from ..containers.runtimes import job_environment, scratch_folder, write_environment_file
from ..datasets.branches import Entry, Result, head_of, read_files, read_ledger
from ..datasets.clones import clone
from ..datasets.imports import connect_folder, is_import
from ..datasets.stores import REMOTE_MAIN, last_line
from ..job.app_command import filter_file
from ..job.process import check_node, sign_as_prepared
from ..job.scratch import JobFolder, open_folder
from ..job.steps import mount_steps
from ..job.unit_job import Job
from ..records.fingerprints import Fingerprints
from ..records.prepared import Prepared
from ..records.produced import join_produced
from ..records.proof import Proof, ProofState, UnitProof, write_proof
from ..units.listing import cached_units
from ..units.offers import read_offers
from ..units.unit import Unit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """Paths of the output dataset at which a rerun and the unit's commit are not the same."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]

    def paths(self) -> list[str]:
        """All of them."""
        return sorted([*self.changed, *self.missing, *self.added])


def prove_study(study: Study, prepared: Prepared) -> Proof:
    """Compute some merged units again, and write for each whether the same came out.

    Raises `WorkflowFailure` where no unit of the study is merged.
    """
    seed = secrets.randbits(32) if study.prove_seed is None else study.prove_seed
    drawn = draw(merged_units(study, prepared), number=study.prove_units, seed=seed)
    if not drawn:
        raise WorkflowFailure(
            f"Study {study.name} has no merged unit that could be computed again.",
            hint="run snakemake first; a unit that is due again is not proved.",
        )
    start = datetime.now(UTC).isoformat(timespec="seconds")
    units = tuple(prove_unit(Job(study, unit, prepared), result.commit) for unit, result in drawn)
    main = head_of(study.dataset, REMOTE_MAIN)
    proof = Proof(start=start, seed=seed, main=main, units=units)
    write_proof(study, proof)
    return proof


def merged_units(study: Study, prepared: Prepared) -> list[tuple[Unit, Result]]:
    """The units whose results in main are made from what the study names now."""
    ledger = read_ledger(study.dataset, REMOTE_MAIN)
    listed = cached_units(study, prepared.input_commit, prepared.further_commits)
    # What a unit reads of other studies' results is part of its fingerprint alone.
    joined, _ = join_produced(listed.units, study, read_offers(study))
    fingerprints = Fingerprints(study, prepared.image)
    wanted = {unit.name: fingerprints.of(unit) for unit in joined}
    results = ((unit, ledger.get(unit.name)) for unit in listed.units)
    return [
        (unit, result)
        for unit, result in results
        if result and result.fingerprint == wanted[unit.name]
    ]


def draw(units: list[tuple[Unit, Result]], *, number: int, seed: int) -> list[tuple[Unit, Result]]:
    """Some of the units at random, the same ones for the same seed."""
    chosen = random.Random(seed).sample(units, min(number, len(units)))
    return sorted(chosen, key=lambda pair: pair[0].name)


def prove_unit(job: Job, commit: str) -> UnitProof:
    """Compute one unit again; returns what came out."""
    proof = UnitProof(unit=job.unit.name, commit=commit)
    start = time.monotonic()
    check_node(job)
    sign_as_prepared(job)
    folder = open_folder(job.study, f"prove-{job.unit.name}")
    try:
        log.info("%s: computing %s again in %s", job.unit.name, commit, folder.path)
        comparison, files = compare_with_rerun(job, folder, commit)
        state = ProofState.DIFFERS if comparison.paths() else ProofState.IDENTICAL
        proof = replace(proof, state=state, files=files, **vars(comparison))
    except (CommandError, WorkflowFailure) as e:
        said = e.stderr if isinstance(e, CommandError) else e.message
        log.error("%s", said.strip())
        proof = replace(proof, message=why_failed(said))
    finally:
        end_processes_in(folder.path)
        keep = job.study.keep_failed and proof.state is not ProofState.IDENTICAL
        if keep:
            log.warning("the clone is kept: %s", folder.path)
        folder.close(keep=keep)
    log.info("%s: %s", job.unit.name, proof.state)
    return replace(proof, seconds=round(time.monotonic() - start, 1))


def compare_with_rerun(job: Job, folder: JobFolder, commit: str) -> tuple[Comparison, int]:
    """How a rerun of a commit differs from it, and how many files it had written."""
    place, store = folder.clone, job.targets[-1].store
    clone(store.clone_url, place, key="datalad.output_repos")
    start = lay_out_start(job, place, commit)
    for step in mount_steps(job, place):
        call(step.argv, cwd=step.cwd)
    scratch = scratch_folder(place)
    write_environment_file(job.study, job.runtime, scratch)
    environment = job_environment(job.study, job.runtime, scratch)
    call_datalad(["rerun", commit], cwd=place, env=environment)
    head = call_git(["rev-parse", "HEAD"], cwd=place)
    old = read_written(job, place, commit)
    old.pop(filter_file(job) or "", None)
    new = read_written(job, place, head) if head != start else {}
    return compare(old, new), len(old)


def why_failed(said: str) -> str:
    """What could not be fetched, or else the app's last line, in all that `datalad rerun` said."""
    lines = said.partition("action summary:")[0].splitlines()
    fetching = [line for line in lines if re.match(r"(?!run)\w+\((error|impossible)\)", line)]
    own = [line for line in lines if not re.match(r"\w+\(\w+\):", line)]
    return last_line("\n".join(fetching or own or lines))


def lay_out_start(job: Job, place: Path, commit: str) -> str:
    """Check out what a unit's job started from: its commit there.

    The BIDS filter was written by the job and stands in the unit's commit.
    """
    call_git(["checkout", "-q", "-f", "-b", "proof", f"{commit}^"], cwd=place)
    if path := filter_file(job):
        call_git(["checkout", "-q", commit, "--", path], cwd=place)
        call_git(["commit", "-q", "-m", "The unit's BIDS filter"], cwd=place)
    for target in job.targets[:-1]:
        call_datalad(["get", "-n", target.path], cwd=place, env=PRIVATE)
    for source in job.sources:
        if is_import(source.clone):
            call_datalad(["get", "-n", source.path], cwd=place, env=PRIVATE)
            connect_folder(source.clone, place / source.path)
    return call_git(["rev-parse", "HEAD"], cwd=place)


def read_written(job: Job, place: Path, commit: str) -> dict[str, Entry]:
    """Path -> file that a commit wrote, also in outputs that are datasets of their own."""
    written = added_by(place, commit)
    for target in job.targets[:-1]:
        if link := written.pop(target.path, None):
            inner = added_by(place / target.path, link.blob)
            written |= {target.outside(path): entry for path, entry in inner.items()}
    return written


def added_by(repository: Path, commit: str) -> dict[str, Entry]:
    """Path -> file that a commit adds to the one before."""
    return read_files(repository, [Result("", commit, "")])[commit]


def compare(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Comparison:
    """What is not the same in two sets of files."""
    return Comparison(
        changed=tuple(sorted(p for p in old.keys() & new.keys() if old[p] != new[p])),
        missing=tuple(sorted(old.keys() - new.keys())),
        added=tuple(sorted(new.keys() - old.keys())),
    )
