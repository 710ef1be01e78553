"""Lists of subjects: files of labels, and the dataset's participants.tsv."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import CommandError, FailureClass, WorkflowFailure
from ..datasets.annex import read_file
from .expression import MISSING, find_true

if TYPE_CHECKING:
    import pandas as pd

PARTICIPANTS = "participants.tsv"
ID_COLUMN = "participant_id"


def read_labels(path: Path, *, key: str) -> tuple[str, ...]:
    """Subject labels in a file: one on each line, or the column `participant_id` of a table.

    `key` is the configuration key that names the file.

    Raises `WorkflowFailure` where it cannot be read, or contains something else.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not a text file"
        raise WorkflowFailure(
            f"{key} names the file {path}, which cannot be read: {why}.",
            hint='name a file with one label on each line, or list labels: ["001", "002"].',
        ) from e
    if lines and ID_COLUMN in lines[0].split("\t"):
        column = lines[0].split("\t").index(ID_COLUMN)
        cells = [line.split("\t")[column : column + 1] for line in lines[1:] if line.strip()]
        labels = [cell[0] if cell else "" for cell in cells]
    else:
        labels = [line.partition("#")[0] for line in lines]
        labels = [label for label in labels if label.strip()]
    labels = [label.strip().removeprefix("sub-") for label in labels]
    for label in labels:
        if not re.fullmatch(r"[^\t,/]+", label):
            raise WorkflowFailure(
                f"{key} names the file {path}, in which {label!r} is not a subject's label.",
                hint="write one label (letters, digits and '+'; sub- is optional) on each line, or "
                f"a table separated by tabs with a column {ID_COLUMN}.",
            )
    return tuple(dict.fromkeys(labels))


def find_participants(
    expression: str, *, repository: Path, commit: str, source: str
) -> dict[str, bool]:
    """Subject -> whether an expression is true of its row in the committed participants.tsv.

    `source` names the dataset and its commit in messages.

    Raises `WorkflowFailure` where the table cannot be read, or the expression
    cannot be evaluated.
    """
    try:
        content = read_file(repository, commit, PARTICIPANTS)
    except CommandError as e:
        raise WorkflowFailure(
            f"subjects.where needs {PARTICIPANTS} of {source}; it is annexed, and its content "
            f"cannot be fetched: {e.stderr.strip().splitlines()[-1:] or 'no message'}.",
            hint=f"run `datalad get {PARTICIPANTS}` in the dataset that the input is cloned from.",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        ) from e
    if content is None:
        raise WorkflowFailure(
            f"subjects.where needs {PARTICIPANTS}, which {source} does not have.",
            hint="list the subjects in subjects.include instead, or add the table to the dataset.",
        )
    table = parse_participants(content, source=source)
    chosen = find_true(expression, table, source=source)
    return {label: label in chosen for label in table.index}


def parse_participants(content: bytes, *, source: str) -> pd.DataFrame:
    """The table of participants as texts, by their labels.

    Raises `WorkflowFailure` where it is not a table, or has a subject twice.
    """
    # Imported here because the import takes 2 s, and few studies need it.
    import pandas as pd

    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline=None)
        lines = csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
        header, *rows = [[cell.strip() for cell in line] for line in lines if line] or [[]]
        if len(set(header)) < len(header):
            raise ValueError("two columns have the same name")
        table = pd.DataFrame(rows, columns=header, dtype=str).replace([MISSING, ""], None)
        labels = table[ID_COLUMN].str.removeprefix("sub-")
    except (ValueError, KeyError) as e:
        why = f"it has no column {ID_COLUMN}" if isinstance(e, KeyError) else str(e)
        raise WorkflowFailure(
            f"subjects.where needs {PARTICIPANTS} of {source}, which cannot be read: {why}.",
            hint="it has to be a table separated by tabs, in UTF-8, with a header and one row for "
            "each participant.",
        ) from e
    if twice := sorted(set(labels[labels.duplicated()].dropna())):
        raise WorkflowFailure(
            f"{PARTICIPANTS} of {source} has more than one row of sub-{twice[0]}; subjects.where "
            "may be true of one and false of the other.",
            hint="correct the table, or list the subjects in subjects.include.",
        )
    return table.set_index(labels)[labels.notna().to_numpy()]
