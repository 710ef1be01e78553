"""The job of one unit: its inputs, where it writes to, and what it measured so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..base.datalad_run import Run
from ..config import Study
from ..config.request import NOTHING_KNOWN, Request
from ..config.study import join
from ..containers.runtimes import Runtime
from ..datasets.branches import BranchKind, branch_name
from ..datasets.output_datasets import OutputDataset, list_outputs, owner_of
from ..records.fingerprints import Fingerprints
from ..records.prepared import Prepared
from ..units.further_inputs import taken_paths
from ..units.named_files import STIMULI, Named, find_named
from ..units.subject_datasets import InputCommit, Part, find_parts, input_commit
from ..units.tree import inherited_files
from ..units.unit import Unit


@dataclass(frozen=True)
class Source:
    """Some paths of a commit of an input dataset, which is registered at `path`."""

    path: str
    url: str
    clone: Path
    commit: str
    paths: list[str]


@dataclass(frozen=True)
class Saved:
    """What was saved of a run.

    `files` are relative to the output dataset; `left_out` says of other
    entries why they are not in the commit.
    """

    files: Sequence[str] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass
class Job:
    """What one job knows of its unit, and what it measures while it runs.

    `by_hand` says that no Snakemake read the store before.  `seen` are the
    commits of its branch in the stores, as they were read last.  Measured are
    the `seconds` of each step, the `peak` in MB, the app's `cpu_seconds`, and
    files and bytes of its `output`.  `run` is the
    app's run, `saved` what of it is in git, `reasons`
    say why the result is not complete.  `installed` has the URLs of the
    unit's datasets that its clone has, by their paths in the input.
    """

    study: Study
    unit: Unit
    prepared: Prepared
    log_file: Path | None = None
    by_hand: bool = False
    requested: Request = NOTHING_KNOWN
    seconds: dict[str, float] = field(default_factory=dict)
    peak: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float | None = None
    output: dict[str, int] = field(default_factory=dict)
    seen: dict[BranchKind, dict[str, str | None]] = field(default_factory=dict)
    run: Run | None = None
    saved: Saved | None = None
    reasons: tuple[str, ...] = ()
    installed: dict[str, str] = field(default_factory=dict)

    @cached_property
    def targets(self) -> list[OutputDataset]:
        """The datasets that the job writes to; the output dataset comes last."""
        return list_outputs(self.study)

    @property
    def bases(self) -> Mapping[str, str]:
        """The commits that the job starts from, by the paths of their datasets."""
        return self.prepared.bases

    @property
    def branch(self) -> str:
        """The branch that announces the result."""
        kind = BranchKind.INCOMPLETE if self.reasons else BranchKind.JOB
        return branch_name(self.study.container.name, self.unit.name, kind)

    @property
    def fingerprint(self) -> str:
        """What this unit's result must have been made from."""
        return Fingerprints(self.study, self.prepared.image).of(self.unit)

    @property
    def runtime(self) -> Runtime:
        """What runs the image."""
        return self.prepared.runtime

    def head_seen(self, target: OutputDataset) -> str:
        """The commit that the branch to be pushed had in a store; empty for none."""
        kind = BranchKind.INCOMPLETE if self.reasons else BranchKind.JOB
        return self.seen.get(kind, {}).get(target.path) or ""

    def own(self, target: OutputDataset, paths: Iterable[str]) -> list[str]:
        """Those of some paths of the output dataset that lie in a dataset, relative to it."""
        return [target.inside(path) for path in paths if owner_of(path, self.targets) is target]

    def outdated_files(self, target: OutputDataset) -> list[str]:
        """Files of an earlier result that the job finds in a dataset, relative to it."""
        return []

    @cached_property
    def named(self) -> Named:
        """Files outside of the unit's folder that its own files name."""
        tree = self.study.input_tree(self.prepared.input_commit)
        return find_named(self.study.input, tree, self.unit)

    @property
    def needed_beside(self) -> list[str]:
        """Files of elsewhere without which the app does not start; stimuli are seldom public."""
        named = [path for path in self.named.paths if path != STIMULI]
        return [self.in_input(path) for path in (*self.study.shared_paths, *named)]

    def in_input(self, path: str) -> str:
        """A path of the BIDS dataset, relative to the input dataset that holds it."""
        return join(self.study.input_folder, path)

    @cached_property
    def sources(self) -> list[Source]:
        """What the job reads of each input dataset."""
        study, unit, commit = self.study, self.unit, self.prepared.input_commit
        paths = [unit.folder, *inherited_files(study.input, study.input_tree(commit), unit)]
        paths += [path for path in (*study.shared_paths, *self.named.paths) if path not in paths]
        paths = [self.in_input(path) for path in paths]
        sources = [Source(study.input_path, study.input_url, study.input, commit, paths)]
        here = {path for path, _ in unit.further}
        for f in study.further_inputs:
            one = f.of(unit.subject)
            if one.path in here:
                commit = self.prepared.further_commits[one.path]
                here_in = f.at_session(unit.session)
                taken = taken_paths(here_in, commit, unit)
                paths = [join(here_in.folder, path) for path in taken]
                sources.append(Source(one.path, one.url, one.clone, commit, paths))
        return sources

    @cached_property
    def given(self) -> InputCommit:
        """The input dataset at the commit that the study uses."""
        return input_commit(self.study, self.prepared.input_commit)

    @cached_property
    def parts(self) -> list[Part]:
        """The datasets in the input that hold files of the unit.

        Those that are nested in others are added once these are installed.
        """
        return find_parts(self.given, self.unit)

    def own_paths(self, source: Source) -> list[str]:
        """What the job reads of an input itself, without the datasets registered in it."""
        if source.path != self.study.input_path:
            return source.paths
        return self.outside_parts(source.paths)

    def outside_parts(self, paths: Iterable[str]) -> list[str]:
        """Those of some paths of the input that do not lie in a dataset registered there."""
        apart = [f"{part.path}/" for part in self.parts]
        return [path for path in paths if not f"{path}/".startswith(tuple(apart))]

    @property
    def inputs(self) -> list[str]:
        """What the job reads, relative to the output dataset."""
        paths = [
            f"{source.path}/{path}" for source in self.sources for path in self.own_paths(source)
        ]
        parts = [f"{self.study.input_path}/{p}" for part in self.parts for p in part.outer_paths]
        return list(dict.fromkeys([*parts, *paths]))
