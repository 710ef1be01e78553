"""Units without a dataset."""

from __future__ import annotations

from bidsloom.units.unit import Unit


def unit(name: str) -> Unit:
    """A unit by its name, as a listing would describe it."""
    subject, _, session = name.removeprefix("sub-").partition("_ses-")
    return Unit(name, subject, session or None, "tree", "inherited", 1, 1)
