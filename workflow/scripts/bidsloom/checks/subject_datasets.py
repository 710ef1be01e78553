"""The check of subjects that are datasets of their own: can they be had, and whose are they?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ..base.errors import WorkflowFailure
from ..base.runners import call_git_success
from ..base.text import a_few
from ..config import Study
from ..datasets.annex import SUBDATASET
from ..datasets.subdataset_trees import AT_ONCE
from ..units.subject_datasets import find_parts, input_commit, list_unit_files, refuse_foreign
from ..units.tree import read_root
from ..units.unit import Unit, Units
from .findings import Caution, Check

# So many are asked for; a job finds out about each other one.
ASKED = 20


def subject_dataset_checks(study: Study, units: Units) -> Iterator[Check]:
    """The check of subjects' datasets, where the input registers any dataset.

    Only for the table are some of them asked for.
    """
    if call_git_success(["cat-file", "-e", f"{units.commit}:.gitmodules"], cwd=study.input):
        yield Check(
            "subjects' datasets",
            "each can be cloned, and has files of its subject",
            lambda: warn_of_unreadable(units),
            lambda: try_datasets(study, units),
        )


def warn_of_unreadable(units: Units) -> None:
    """Raise `Caution` where subjects are left out because nobody can look into their datasets."""
    if units.unreadable:
        reasons = dict(units.excluded)
        told = [f"{name}: {reasons[name]}" for name in units.unreadable if name in reasons]
        raise Caution(
            f"{len(units.unreadable)} unit(s) are left out, because their datasets cannot be "
            f"read: {a_few(told, 3)}.",
            hint="the other units are processed; every start tries these again.",
        )


def try_datasets(study: Study, units: Units) -> str:
    """Look into the datasets of some units, as they are now; returns how many were looked into.

    Raises `Caution` that names those that cannot be had, or have no file of
    their subject: only their jobs will fail.
    """
    root = read_root(study.input, study.input_tree(units.commit))
    given = dataclasses.replace(input_commit(study, units.commit), memory=None)
    apart = [u for u in units.units if root.get(f"sub-{u.subject}", ("",))[0] == SUBDATASET]
    asked = [unit for unit in spread(apart or units.units, ASKED) if find_parts(given, unit)]

    def fault(unit: Unit) -> str | None:
        try:
            refuse_foreign(find_parts(given, unit)[0], unit, list_unit_files(given, unit))
        except WorkflowFailure as e:
            return f"{unit.name}: {e.message} ({e.hint})"
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        faults = [said for said in pool.map(fault, asked) if said]
    if faults:
        raise Caution(
            f"{len(faults)} of {len(asked)} units: {a_few(faults, 3)}",
            hint="until then their jobs fail; the other units are processed.",
        )
    if not asked:
        return "no subject is a dataset of its own"
    return f"{len(asked)} of {len(apart) or len(units.units)} unit(s) looked into"


def spread(units: list[Unit] | tuple[Unit, ...], size: int) -> list[Unit]:
    """At most `size` units, evenly spread."""
    step = max(1, -(-len(units) // size))
    return list(units[::step])
