"""The app's group level: one job on all that is merged.

It has the steps of any other job, under the name `group`: its branch starts
from main instead of base, and is merged like a unit's.  Main is checked out
completely, since DataLad would record a file that is missing as deleted.  Only
the content that `container.group_inputs` names is fetched.
"""

from __future__ import annotations

from functools import cached_property

from ..base.errors import WorkflowFailure
from ..base.files import digest
from ..config import Study
from ..datasets.branches import head_of, read_files, read_ledger
from ..datasets.output_datasets import OutputDataset
from ..datasets.stores import REMOTE_MAIN
from ..records.fingerprints import fingerprint_text, group_fingerprint
from ..units.subject_datasets import Part
from ..units.unit import GROUP, Unit
from .unit_job import Job, Source

GROUP_UNIT = Unit(GROUP, subject="", session=None, tree="", inherited="", files=0, bytes=0)


class GroupJob(Job):
    """The job of the group level."""

    @cached_property
    def bases(self) -> dict[str, str]:
        """Main of every dataset, as the last merge left it."""
        found = {target.path: head_of(target.dataset, REMOTE_MAIN) for target in self.targets}
        mains = {path: main for path, main in found.items() if main is not None}
        if mains.keys() != found.keys():
            raise WorkflowFailure(
                f"Nothing of study {self.study.name} is merged; the group level has no input.",
                hint="run `snakemake merge` first.",
            )
        return mains

    @cached_property
    def fingerprint(self) -> str:
        """What the group's result must have been made from: the results in main, and the app."""
        merged = members(self.study, self.bases[""])
        return fingerprint_text(group_fingerprint(self.study, merged, self.prepared.image))

    def outdated_files(self, target: OutputDataset) -> list[str]:
        """What main holds of the group level's last result in a dataset."""
        ledger = read_ledger(target.dataset, self.bases[target.path])
        last = [ledger[GROUP]] if GROUP in ledger else []
        return sorted(path for own in read_files(target.dataset, last).values() for path in own)

    @property
    def sources(self) -> list[Source]:
        """The input dataset, all of it, without content."""
        study, commit = self.study, self.prepared.input_commit
        return [Source(study.input_path, study.input_url, study.input, commit, [])]

    @cached_property
    def parts(self) -> list[Part]:
        """No dataset of a subject is installed."""
        return []

    @property
    def inputs(self) -> list[str]:
        """What the recorded command reads: a file of the input stands for the dataset."""
        description = f"{self.study.bids_path}/dataset_description.json"
        return [description, *self.study.container.group_inputs]


def members(study: Study, main: str) -> str:
    """A digest of the units' results that main holds."""
    ledger = read_ledger(study.dataset, main)
    return digest(sorted(r.commit for unit, r in ledger.items() if unit != GROUP))
