"""What bids-validator finds in a sample of subjects: of the input, or of any dataset.

The validator needs a work tree.  Making one of 50,000 subjects, or of a remote
dataset, would take too long.  So some subjects are checked out, without the
content of annexed files.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from ..base.errors import CommandError
from ..base.files import read_json
from ..base.runners import call
from ..config import Study
from ..config.study import join
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.thin_clones import CLONE, LAY_OUT
from ..units.tree import read_root
from ..units.unit import Units
from .findings import Caution
from .trial_folder import trial_folder

VALIDATOR = "bids-validator-deno"
SUBJECTS = 10
# Errors that it finds from file names only.
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
    """True where the validator is installed."""
    return shutil.which(VALIDATOR) is not None


def validate_sample(study: Study, units: Units) -> str:
    """Validate the files of some subjects, and return how many were validated.

    Raises `Caution` where the validator finds errors, or does not work.
    """
    root = read_root(study.input, study.input_tree(units.commit))
    processed = sorted({f"sub-{unit.subject}" for unit in units.units})
    # Datasets are not cloned for this.
    subjects = sample([name for name in processed if root[name][0] == FOLDER], SUBJECTS)
    if not subjects:
        return "not validated: every subject is a dataset of its own"
    files = [name for name, (mode, _) in root.items() if mode not in (FOLDER, SUBDATASET)]
    others = any(name.startswith("sub-") and name not in subjects for name in root)
    paths = [join(study.input_folder, name) for name in [*files, *subjects]]
    errors, without_text = find_issues(
        study, study.input, units.commit, paths, folder=study.input_folder
    )
    errors = [e for e in errors if counts(e["code"], others=others, without_text=without_text)]
    validated = f"{len(subjects)} of {len(processed)} subject(s)"
    if errors:
        raise Caution(
            f"{validated}: {describe_errors(errors)}",
            hint="correct the dataset, or list files that are there on purpose in its .bidsignore; "
            f"to validate all subjects: {VALIDATOR} <a clone of the input>",
        )
    return f"{validated}: no errors{' in file names' if without_text else ''}"


def find_issues(
    study: Study,
    repository: Path,
    commit: str,
    paths: list[str],
    *,
    folder: str = "",
    warnings: bool = False,
) -> tuple[list[dict], bool]:
    """The validator's errors in some paths of a commit, and whether text files are annexed.

    `folder` is the dataset's in the repository, if it is not its root;
    `warnings` are returned too if that is asked for.  Nothing is fetched, so the
    validator cannot read annexed text files.

    Raises `Caution` where the validator does not work.
    """
    with trial_folder(study) as trial:
        clone, report = trial / "bids", trial / "report.json"
        dataset = clone / folder
        try:
            call([*CLONE, str(repository), str(clone)], cwd=trial)
            call(["sh", "-c", LAY_OUT, "lay-out", commit, *paths], cwd=clone)
            call(
                [VALIDATOR, "--ignoreNiftiHeaders", "--format", "json"]
                + [*([] if warnings else ["--ignoreWarnings"]), "--outfile", str(report)]
                + [str(dataset)],
                cwd=trial,
                timeout=300,
            )
        except CommandError as e:
            # It also ends with an exit code other than 0 where the dataset has errors.
            if not report.exists():
                raise Caution(f"{VALIDATOR} wrote no report: {e.stderr.strip()[:200]}") from e
        texts = [path for suffix in ("json", "tsv") for path in dataset.rglob(f"*.{suffix}")]
        issues = read_json(report)["issues"]["issues"]
        found = [i for i in issues if warnings or i["severity"] == "error"]
        return found, any(not path.exists() for path in texts)


def counts(code: str, *, others: bool, without_text: bool) -> bool:
    """True for an error of the dataset; False for one that comes from checking out only a part."""
    if others and code == "SIDECAR_WITHOUT_DATAFILE":
        return False
    return code in BY_NAME or not without_text


def sample(names: list[str], size: int) -> list[str]:
    """At most `size` names, evenly spread."""
    step = max(1, -(-len(names) // size))
    return names[::step]


def describe_errors(errors: list[dict]) -> str:
    """The most frequent kinds of errors, each with the first path where it occurs."""
    paths: dict[str, str] = {}
    for error in errors:
        paths.setdefault(error["code"], error.get("location", ""))
    numbers = Counter(error["code"] for error in errors)
    return "; ".join(f"{code} ({n}) at {paths[code]}" for code, n in numbers.most_common(5))
