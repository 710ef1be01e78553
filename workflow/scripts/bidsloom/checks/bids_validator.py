"""What bids-validator says of a sample of subjects.

It wants a work tree, which nobody makes for 50,000 subjects, nor for a remote
dataset: some subjects are laid out without their data, as git has them.
"""

from __future__ import annotations

import shutil
from collections import Counter

from ..base.errors import CommandError
from ..base.files import read_json
from ..base.runners import call
from ..config import Study
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.thin_clones import CLONE, LAY_OUT
from ..units.tree import read_root
from ..units.unit import Units
from .findings import Caution
from .trials import trial_folder

VALIDATOR = "bids-validator-deno"
SUBJECTS = 10
# What it tells by names alone.
BY_NAME = {
    "NOT_INCLUDED",
    "MISSING_REQUIRED_ENTITY",
    "ENTITY_WITH_NO_LABEL",
    "INVALID_ENTITY_LABEL",
    "ENTITY_NOT_IN_RULE",
    "DATATYPE_MISMATCH",
    "EXTENSION_MISMATCH",
    "INVALID_LOCATION",
    "FILENAME_MISMATCH",
    "FILENAME_UPPERCASE",
    "ALL_FILENAME_RULES_HAVE_ISSUES",
}


def has_validator() -> bool:
    """Whether the validator is installed."""
    return shutil.which(VALIDATOR) is not None


def validate_sample(study: Study, units: Units) -> str:
    """Validate some subjects' files; raises `Caution` where the validator finds errors."""
    processed = sorted({f"sub-{unit.subject}" for unit in units.units})
    subjects = sample(processed, SUBJECTS)
    root = read_root(study.input, units.commit)
    files = [name for name, (mode, _) in root.items() if mode not in (FOLDER, SUBDATASET)]
    others = any(name.startswith("sub-") and name not in subjects for name in root)
    errors, without_text = find_errors(study, units.commit, [*files, *subjects])
    errors = [e for e in errors if counts(e["code"], others=others, without_text=without_text)]
    whole = f"{len(subjects)} of {len(processed)} subject(s)"
    if errors:
        raise Caution(
            f"{whole}: {describe(errors)}",
            hint="mend the dataset, or name what is meant to be there in its .bidsignore; "
            f"all of it: {VALIDATOR} <a clone of the input>",
        )
    return f"{whole}: no errors{' in file names' if without_text else ''}"


def find_errors(study: Study, commit: str, paths: list[str]) -> tuple[list[dict], bool]:
    """The validator's errors in some paths of the input, and whether text files lie in the annex.

    Nothing is fetched: git has the text, or the validator does not see it.
    """
    with trial_folder(study) as folder:
        raw, told = folder / "bids", folder / "told.json"
        try:
            call([*CLONE, str(study.input), str(raw)], cwd=folder)
            call(["sh", "-c", LAY_OUT, "lay-out", commit, *paths], cwd=raw)
            call(
                [VALIDATOR, "--ignoreWarnings", "--ignoreNiftiHeaders", "--format", "json"]
                + ["--outfile", str(told), str(raw)],
                cwd=folder,
                timeout=300,
            )
        except CommandError as e:
            # It ends with an error where it found one, and tells it all the same.
            if not told.exists():
                raise Caution(f"{VALIDATOR} gave no answer: {e.stderr.strip()[:200]}") from e
        texts = [path for suffix in ("json", "tsv") for path in raw.rglob(f"*.{suffix}")]
        issues = read_json(told)["issues"]["issues"]
        errors = [issue for issue in issues if issue["severity"] == "error"]
        return errors, any(not path.exists() for path in texts)


def counts(code: str, *, others: bool, without_text: bool) -> bool:
    """Whether an error is one of the dataset, and not only of what was laid out of it."""
    if others and code == "SIDECAR_WITHOUT_DATAFILE":
        return False
    return code in BY_NAME or not without_text


def sample(names: list[str], size: int) -> list[str]:
    """At most `size` names, evenly spread."""
    step = max(1, -(-len(names) // size))
    return names[::step]


def describe(errors: list[dict]) -> str:
    """Errors by kind, each with its first place."""
    places: dict[str, str] = {}
    for error in errors:
        places.setdefault(error["code"], error.get("location", ""))
    counts = Counter(error["code"] for error in errors)
    return "; ".join(f"{code} ({n}) at {places[code]}" for code, n in counts.most_common(5))
