"""What bids-validator finds in the merged results, by its codes.

Each output folder is a dataset, and so is the output dataset around them.
Where many subjects are merged, some of them are validated, and are named.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from ..base.files import read_json, write_json
from ..base.text import a_few
from ..config import Study
from ..config.study import join
from ..datasets.annex import FOLDER, SUBDATASET
from ..datasets.branches import head_of
from ..datasets.output_datasets import OutputDataset, list_outputs, owner_of
from ..datasets.stores import REMOTE_MAIN
from ..datasets.trees import read_entries, read_trees, root_tree
from ..records.merge_outcome import read_merge_outcome
from ..units.output_folders import result_folders
from .bids_validator import SUBJECTS, VALIDATOR, counts, find_issues, has_validator, sample
from .findings import Caution

# Datasets whose content BIDS does not prescribe.
OPAQUE = "sourcedata/"
# Whatever these hold, it is validated as a dataset of its own, or not at all.
NOT_OF_IT = ("derivatives", "sourcedata", ".datalad")
# So many validators run at once.
AT_ONCE = 2


@dataclass(frozen=True)
class BidsFinding:
    """What the validator says of a dataset: a code, how often, and the first path."""

    dataset: str
    severity: str
    code: str
    number: int
    example: str


@dataclass(frozen=True)
class MergedBids:
    """What was found in the merged results: in which commits, which subjects, of how many.

    `problem` says why nothing was validated.
    """

    mains: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    merged: int = 0
    findings: tuple[BidsFinding, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Part:
    """A BIDS dataset in main: a folder of a dataset, of which some paths are validated.

    `others` says that it has files of the dataset that are not among `paths`.
    """

    target: OutputDataset
    main: str
    folder: str
    paths: list[str]
    others: bool


def validate_merged(study: Study) -> MergedBids | None:
    """Validate what is merged, unless that was done; None where nothing is, or nothing can.

    Writes `results/<study>/bids.json`.
    """
    targets = list_outputs(study)
    units = read_merge_outcome(study).merged
    heads = {t.path: t.dataset.exists() and head_of(t.dataset, REMOTE_MAIN) for t in targets}
    mains = {path: head for path, head in heads.items() if head}
    if not units or len(mains) < len(targets) or study.container.archive or not has_validator():
        return None
    known = read_merged_bids(study)
    if known and known.mains == tuple(mains.values()):
        return known
    try:
        found = validate(study, targets, mains, result_folders(study, units))
    except Caution as e:
        found = MergedBids(tuple(mains.values()), problem=e.message)
    write_json(study.files.bids, asdict(found))
    return found


def read_merged_bids(study: Study) -> MergedBids | None:
    """What was found last."""
    value = read_json(study.files.bids)
    if value is None:
        return None
    lists = {name: tuple(value[name]) for name in ("mains", "subjects")}
    findings = tuple(BidsFinding(**finding) for finding in value["findings"])
    return MergedBids(**{**value, **lists, "findings": findings})


def validate(
    study: Study, targets: list[OutputDataset], mains: dict[str, str], folders: list[str]
) -> MergedBids:
    """Validate the output dataset, and each of the folders with results.

    Raises `Caution` where the validator does not work.
    """
    output = targets[-1]
    files = [path for path, _ in list_root(output, mains[""], "")]
    parts = [Part(output, mains[""], "", files, others=True)]
    all_subjects: set[str] = set()
    validated: set[str] = set()
    for folder in folders:
        if folder.startswith(OPAQUE):
            continue
        target = owner_of(folder, targets)
        inside = target.inside(folder).removeprefix(".")
        listed = list_root(target, mains[target.path], inside)
        subjects = sorted({subject for _, subject in listed if subject})
        chosen = sample(subjects, SUBJECTS)
        paths = [join(inside, path) for path, subject in listed if subject in ("", *chosen)]
        others = len(chosen) < len(subjects)
        parts.append(Part(target, mains[target.path], inside, paths, others=others))
        all_subjects |= set(subjects)
        validated |= set(chosen)
    # Each part takes a second for the start of the validator.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda part: list(find_in(study, part)), parts))
    return MergedBids(
        mains=tuple(mains.values()),
        subjects=tuple(sorted(validated)),
        merged=len(all_subjects),
        findings=tuple(finding for findings in found for finding in findings),
    )


def list_root(target: OutputDataset, main: str, folder: str) -> list[tuple[str, str]]:
    """(path, subject) of what is in a folder of a dataset; of no single subject: empty.

    Folders that hold subjects' folders, as some apps write them, are opened.
    Of the output dataset's own folder, only the files.
    """
    tree = root_tree(target.dataset, main)
    if folder:
        entry = read_entries(target.dataset, tree, [folder]).get(folder)
        if entry is None or entry.mode != FOLDER:
            return []
        tree = entry.blob
    found = read_trees(target.dataset, [tree])[tree]
    files = [name for name, entry in found.items() if entry.mode not in (FOLDER, SUBDATASET)]
    listed = [(name, subject_in(name)) for name in files]
    if not folder and not target.path:
        return listed
    folders = {n: e.blob for n, e in found.items() if e.mode == FOLDER and n not in NOT_OF_IT}
    inside = read_trees(target.dataset, folders.values())
    for name, blob in folders.items():
        below = [(f"{name}/{child}", subject_in(child)) for child in inside[blob]]
        opened = not subject_in(name) and any(subject for _, subject in below)
        listed += below if opened else [(name, subject_in(name))]
    return listed


def subject_in(name: str) -> str:
    """The subject that a name starts with, empty where it is of no single one."""
    return name.partition("_")[0].partition(".")[0] if name.startswith("sub-") else ""


def find_in(study: Study, part: Part) -> Iterator[BidsFinding]:
    """The findings in a part, the most frequent first; errors before warnings."""
    target, others = part.target, part.others
    issues, without_text = find_issues(
        study, target.dataset, part.main, part.paths, folder=part.folder, warnings=True
    )
    found: dict[tuple[str, str], list[str]] = {}
    for issue in issues:
        if counts(issue["code"], others=others, without_text=without_text):
            code = " ".join(filter(None, [issue["code"], issue.get("subCode")]))
            found.setdefault((issue["severity"], code), []).append(issue.get("location", ""))
    name = target.outside(part.folder).rstrip("/") or "."
    for (severity, code), places in sorted(found.items(), key=lambda f: (f[0][0], -len(f[1]))):
        yield BidsFinding(name, severity, code, len(places), min(places))


def tell_merged_bids(study: Study) -> str:
    """How many subjects were validated, for the table of a check.

    Raises `Caution` where there are errors.
    """
    found = validate_merged(study)
    if found is None:
        return "nothing is merged that could be validated"
    errors = [describe_finding(f) for f in found.findings if f.severity == "error"]
    if found.problem or errors:
        said = found.problem or f"{describe_sample(found)}: {'; '.join(errors)}"
        raise Caution(
            said,
            hint="these are names and files that the app writes; those that it writes on purpose "
            "belong in a .bidsignore of its output folder.",
        )
    return f"{describe_sample(found)}: no errors"


def describe_merged_bids(study: Study) -> dict[str, Any] | None:
    """What a report says of what main holds now; None where nothing was validated."""
    return describe_validation(validate_merged(study))


def describe_validation(found: MergedBids | None) -> dict[str, Any] | None:
    """What a report says of what was found; None where nothing was validated."""
    if found is None:
        return None
    return {
        "validator": VALIDATOR,
        "sample": found.problem or describe_sample(found),
        "valid": not found.problem and all(f.severity != "error" for f in found.findings),
        "findings": [asdict(finding) for finding in found.findings],
        "lines": [describe_finding(finding) for finding in found.findings],
    }


def describe_sample(found: MergedBids) -> str:
    """Which of the merged subjects were validated."""
    if len(found.subjects) == found.merged:
        return f"all {found.merged} subject(s)"
    return f"{len(found.subjects)} of {found.merged} subjects ({a_few(found.subjects, SUBJECTS)})"


def describe_finding(finding: BidsFinding) -> str:
    """A finding in a line."""
    place = finding.example.lstrip("/")
    where = "the output dataset" if finding.dataset == "." else finding.dataset
    return f"{where}: {finding.severity} {finding.code} ({finding.number}), first at {place}"
