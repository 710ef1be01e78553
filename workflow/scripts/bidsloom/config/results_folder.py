"""Every path of `results/<study>/`, spelled once.

Rules write the same paths relative to the working directory, since Snakemake
knows a file by the words of its path.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class ResultsFolder:
    """The files and folders of `results/<study>/`; nothing here looks whether they exist."""

    path: Path

    # --- the study's own clones

    @property
    def dataset(self) -> Path:
        """The study dataset: what jobs clone."""
        return self.path / "dataset"

    @property
    def input(self) -> Path:
        """The clone of the input dataset, without a work tree."""
        return self.path / "input"

    @property
    def containers(self) -> Path:
        """The clone of the container dataset, without a work tree."""
        return self.path / "containers"

    def further_input(self, path: str) -> Path:
        """The clone of a further input that is registered at a path of the output dataset."""
        return self.path / "inputs" / path

    def further_output(self, path: str) -> Path:
        """The clone of an output that is a dataset of its own."""
        return self.path / "outputs" / path

    @property
    def clones_lock(self) -> Path:
        """Locked by who changes these clones."""
        return self.path / ".clones.lock"

    # --- what the study is made from

    @property
    def image(self) -> Path:
        """The annex key of the image file, and the file that it was computed for."""
        return self.path / "image.json"

    @property
    def app(self) -> Path:
        """The app's version and its image's labels, and the image that they are of."""
        return self.path / "app.json"

    @property
    def units(self) -> Path:
        """The units as they were listed last, with those left out."""
        return self.path / "units.json"

    @property
    def offers(self) -> Path:
        """What other studies offer as inputs (`units.offers`)."""
        return self.path / "offers.json"

    @property
    def trees(self) -> Path:
        """The folder of what commits of subjects' datasets hold (`datasets.subdataset_trees`)."""
        return self.path / "trees"

    @property
    def subjects(self) -> Path:
        """The table of the units."""
        return self.path / "subjects.tsv"

    @property
    def excluded(self) -> Path:
        """The table of those left out, with the reasons."""
        return self.path / "excluded.tsv"

    @property
    def prepared(self) -> Path:
        """What jobs know of the study (`records.prepared`)."""
        return self.path / "prepared.json"

    # --- checks before the jobs

    @property
    def check(self) -> Path:
        """The folder of what checks on the nodes found."""
        return self.path / "check"

    def findings(self, name: str) -> Path:
        """What the check `node` or `lock` found."""
        return self.check / f"{name}.json"

    @property
    def check_asked(self) -> Path:
        """What the last check was about."""
        return self.check / "asked.json"

    @property
    def checked(self) -> Path:
        """Written when a node passed the check."""
        return self.path / "checked.json"

    @property
    def lock_checked(self) -> Path:
        """Written when the lock file passed the check between nodes."""
        return self.path / "lock_checked.json"

    # --- units

    @cached_property
    def records(self) -> Path:
        """The folder of the units' records (`records.job_record`)."""
        return self.path / "jobs"

    def record(self, unit: str) -> Path:
        """The record of a unit's result."""
        return self.records / f"{unit}.json"

    @property
    def superseded_records(self) -> Path:
        """Records of earlier results, which are not what is asked for now."""
        return self.path / "superseded"

    def superseded(self, unit: str) -> Path:
        """The record of a unit's earlier result, which is not what is asked for now."""
        return self.superseded_records / f"{unit}.json"

    def attempts(self, unit: str) -> Path:
        """The failed attempts at a unit (`records.attempts`)."""
        return self.path / "attempts" / f"{unit}.json"

    @property
    def evidence(self) -> Path:
        """The folder of what failed attempts left (`records.evidence`)."""
        return self.path / "evidence"

    def evidence_of(self, unit: str) -> Path:
        """What failed attempts at a unit left, a folder for each attempt."""
        return self.evidence / unit

    @property
    def cancellations(self) -> Path:
        """The folder of notes on cancelled units."""
        return self.path / "cancelled"

    def cancellation(self, unit: str) -> Path:
        """The note that a unit was cancelled (`records.cancellations`)."""
        return self.cancellations / f"{unit}.json"

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.path / "logs"

    def log(self, unit: str) -> Path:
        """A unit's log."""
        return self.logs / f"{unit}.log"

    @property
    def scripts(self) -> Path:
        """The folder of the job scripts."""
        return self.path / "scripts"

    def script(self, unit: str) -> Path:
        """A unit's job script."""
        return self.scripts / f"{unit}.sh"

    @property
    def script_config(self) -> Path:
        """The configuration that job scripts read."""
        return self.scripts / "config.yaml"

    # --- jobs on a cluster

    @property
    def job_config(self) -> Path:
        """The resolved configuration, which jobs on nodes read; for its owner alone."""
        return self.path / "job_config.yaml"

    @property
    def known_config(self) -> Path:
        """The configuration without its secrets, for studies that name this one."""
        return self.path / "config.yaml"

    def array(self, name: str) -> Path:
        """What the tasks of an array of jobs do (`scheduling.node_call`)."""
        return self.path / "arrays" / f"{name}.json"

    def ended(self, run: str) -> Path:
        """The folder of notes of jobs that ended (`records.job_ends`)."""
        return self.path / "ended" / run

    # --- batches

    @property
    def batches(self) -> Path:
        """The folder of notes on units that share a job."""
        return self.path / "batches"

    def batch_done(self, batch: str) -> Path:
        """Written when all units of a batch are done."""
        return self.batches / f"{batch}.json"

    def batch_units(self, batch: str) -> Path:
        """The units of a batch, in order."""
        return self.batches / f"{batch}.units.json"

    def batch_running(self, batch: str) -> Path:
        """The unit that a batch's job processes now (`records.running`)."""
        return self.batches / f"{batch}.running.json"

    # --- merge, report, proof

    @property
    def merged(self) -> Path:
        """What the last merge did (`records.merge_outcome`)."""
        return self.path / "merged.json"

    @property
    def all_merged(self) -> Path:
        """Written when a merge settled every unit."""
        return self.path / "merged.txt"

    @property
    def group_merged(self) -> Path:
        """Written when the group's result is merged, too."""
        return self.path / "group_merged.txt"

    @property
    def unmerged(self) -> Path:
        """The table of the units that the last merge left out, with the reasons."""
        return self.path / "unmerged.tsv"

    @property
    def run(self) -> Path:
        """How the last run of Snakemake ended."""
        return self.path / "run.json"

    @property
    def report_page(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    @property
    def report_table(self) -> Path:
        """The report as a table."""
        return self.path / "report.tsv"

    @property
    def processing_status(self) -> Path:
        """The table of nipoppy and Neurobagel (`reporting.processing_status`)."""
        return self.path / "processing_status.tsv"

    @property
    def report_data(self) -> Path:
        """The report for programs."""
        return self.path / "report.json"

    @property
    def pages(self) -> Path:
        """The folder of copies of units' own pages, which the report opens."""
        return self.path / "pages"

    def pages_of(self, unit: str) -> Path:
        """Copies of a unit's own pages, and of the files that they name."""
        return self.pages / unit

    @property
    def actions(self) -> Path:
        """The folder of commands that were started from the page (`page.runs`)."""
        return self.path / "actions"

    @property
    def bids(self) -> Path:
        """What bids-validator found in the merged results (`checks.merged_bids`)."""
        return self.path / "bids.json"

    @property
    def exported(self) -> Path:
        """What the last export did (`records.export_outcome`)."""
        return self.path / "export.json"

    @property
    def export_clone(self) -> Path:
        """The clone from which git-annex exports; it knows what was exported."""
        return self.path / "export"

    @property
    def provenance(self) -> Path:
        """The folder of the merged results' provenance, as it is in a dataset's `prov/`."""
        return self.path / "prov"

    def provenance_of(self, label: str) -> Path:
        """The provenance of one unit, by its label there."""
        return self.provenance / f"prov-{label}"

    @property
    def provenance_index(self) -> Path:
        """Unit -> the commit that its provenance is written from."""
        return self.path / "prov.json"

    @property
    def renewal(self) -> Path:
        """The commands that make the stores anew, without those who were erased."""
        return self.path / "renew_stores.sh"

    @property
    def proof(self) -> Path:
        """What came out of the last proof (`records.proof`)."""
        return self.path / "proof.json"
