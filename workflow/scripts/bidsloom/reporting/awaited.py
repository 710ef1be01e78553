"""Why units wait: for which results of other studies, and what became of these."""

from __future__ import annotations

from collections.abc import Iterable

from ..base.errors import FailureClass
from ..config import Study
from ..config.producer import Producer
from ..records.attempts import read_attempts
from ..records.produced import recorded_result, wait_for
from ..units.listing import read_units
from ..units.offers import read_offers
from ..units.produced_files import producer_of


def describe_awaited(study: Study, waiting: Iterable[str]) -> dict[str, str]:
    """Unit -> for which result of another study it waits, of those that wait for one."""
    offers = read_offers(study)
    if not any(offer.live for offer in offers.values()):
        return {}
    units, reasons = {unit.name: unit for unit in read_units(study)}, {}
    for name in waiting:
        found = (
            why_awaited(producer_of(further), needed)
            for further in study.produced_inputs
            if name in units and further.path in offers and offers[further.path].live
            for needed in offers[further.path].results_behind(further, units[name])
        )
        if reason := next(filter(None, found), ""):
            reasons[name] = reason
    return reasons


def why_awaited(producer: Producer, unit: str) -> str:
    """That a result of another study is not there, and why; empty where it is."""
    commit, why = recorded_result(producer, unit)
    if commit:
        return ""
    attempts = read_attempts(producer, unit)
    if not why and attempts:
        last = attempts[-1]
        if last.failure_class is FailureClass.WAITS:
            why = f"waits for {last.first_line.partition(' waits for ')[2] or 'another result'}"
        else:
            why = f"failed: {last.first_line}"
    return wait_for(unit, producer, why or "is not done yet")
