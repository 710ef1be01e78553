"""What a recorded command does when the app has ended well."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..config import Study

# Packs a unit's files, with `container.archive`; a file of the output dataset.
PACK = "code/pack_outputs.py"


def with_ending(study: Study, call: str) -> str:
    """A call format that also packs the results, or restores descriptions."""
    if study.container.archive:
        return f"( {call} ) && python3 -I {PACK} {shlex.join(study.container.outputs)}"
    return f"( {call} ) && ( {'; '.join(restore_descriptions(study))}; : ) 2> /dev/null"


def restore_descriptions(study: Study) -> Iterator[str]:
    """Commands that bring back the descriptions of the outputs, as the dataset has them.

    The merge completes them in main (`merge.describe`).  There a rerun changes
    no result; without this, it would write the app's own words again.  A job
    starts without them.
    """
    apart = {further.path for further in study.further_outputs}
    by_session = study.by_session and study.container.session_folders
    for output in study.container.outputs:
        where, inside = (f"-C {shlex.quote(output)} ", "") if output in apart else ("", output)
        for folder in ("", "ses-*") if by_session else ("",):
            path = "/".join(filter(None, [inside, folder, "dataset_description.json"]))
            yield f"git {where}checkout -q HEAD -- {shlex.quote(path)}"
