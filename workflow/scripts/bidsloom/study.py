"""Open a study: look at everything it names before anything is submitted.

Runs in Snakemake's main process, for a dry run too, and writes nothing to any
store.  What it finds is kept under `results/<study>/` (a clone of the input
without a work tree, the list of units), so that a second look costs no second
index and a job's start costs none at all.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from .bids import Unit, Units, list_units
from .branches import (
    digest,
    fingerprint,
    fingerprint_text,
    head_of,
    list_job_branches,
    read_branches,
    read_ledger,
)
from .config import Study
from .containers import call_format, image_key
from .errors import CommandError, FailureClass, WorkflowFailure
from .preflight import (
    check,
    check_identity,
    check_input_url,
    check_scratch,
    check_tools,
    check_work_dir,
)
from .records import read_json, read_tsv, write_json, write_tsv
from .runners import PRIVATE, call_datalad, call_git, call_git_success
from .scratch import remove_tree
from .stores import (
    BASE,
    MAIN,
    REMOTE,
    Store,
    check_owner,
    check_store,
    exclusive,
    last_line,
    missing_keys,
    output_store,
    read_setting,
    refuse_strangers,
    share_remotes,
)

UNIT_COLUMNS = ["unit", "subject", "session", "tree", "files", "bytes", "inherited"]
VERSION_SETTING = "bidsloom.input-version"


@dataclass(frozen=True)
class OpenStudy:
    """A study that was looked at: its units, and the image they run with.

    `done` names the units whose record tells of a result that still holds.
    """

    study: Study
    store: Store
    units: Units
    image_key: str
    done: frozenset[str] = frozenset()

    def fingerprint(self, name: str) -> str:
        """The fingerprint that a unit's result must have now."""
        return unit_fingerprint(self.study, self._by_name[name], self.image_key)

    @property
    def names(self) -> list[str]:
        """Names of the units, sorted."""
        return list(self._by_name)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {unit.name: unit for unit in self.units.units})


def unit_fingerprint(study: Study, unit: Unit, key: str) -> str:
    """The fingerprint of a unit under a study and an image, as trailers hold it."""
    return fingerprint_text(fingerprint(study, unit, key))


def open_study(study: Study, *, busy: bool = False, here: bool = True) -> OpenStudy:
    """Check everything a study names, list its units, and settle their records.

    `busy` says that another run of this study may be under way: its records
    are then left where they are.  `here` says that jobs run on this machine,
    whose scratch folder is then looked at too.

    Raises `ConfigFailure` with every fault found.
    """
    check(
        check_tools,
        check_identity,
        lambda: here and check_work_dir(study.work_dir),
        lambda: image_key(study),
        lambda: call_format(study),
        lambda: check_input_url(study.input_url),
        lambda: check_store(output_store(study), study),
    )
    with exclusive(study):
        store = output_store(study)
        if check_store(store, study):
            clone_output(study, store)
        commit = pin_input(study)
        units = cached_units(study, commit)
        opened = OpenStudy(study, store, units, image_key(study))
        check(lambda: here and check_scratch(study, units))
        if not busy:
            drop_outdated_files(opened)
            set_aside_records(opened)
        restore_records(opened)
        return dataclasses.replace(opened, done=find_done(opened))


def clone_output(study: Study, store: Store) -> None:
    """Clone the output dataset that the store holds, unless that was done before."""
    if not study.dataset.exists():
        url = store.git_url if store.repository and not store.url.startswith("ria") else store.url
        clone(url, study.dataset, key="datalad.output_repos")
        call_git(["remote", "rename", "origin", REMOTE], cwd=study.dataset)
        check_owner_of_clone(study, store)
        share_remotes(study.dataset)
    elif call_git_success(["remote", "get-url", REMOTE], cwd=study.dataset):
        check_owner_of_clone(study, store)


def check_owner_of_clone(study: Study, store: Store) -> None:
    """Refuse a URL whose dataset is another study's; mounted stores were looked at directly."""
    if store.repository is None and head_of(study.dataset, f"{REMOTE}/{MAIN}"):
        try:
            check_owner(study.dataset, f"{REMOTE}/{MAIN}", study, store)
        except WorkflowFailure:
            remove_tree(study.dataset)
            raise


def clone(url: str, target: Path, *, key: str) -> None:
    """Clone a dataset without a work tree, whole or not at all.

    The clone is private: it leaves no trace in anybody's location log.
    """
    temporary = target.with_name(f".{target.name}.cloning")
    if temporary.exists():
        remove_tree(temporary)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        call_datalad(
            ["clone", url, str(temporary), "--no-checkout"], cwd=target.parent, env=PRIVATE
        )
    except CommandError as e:
        if temporary.exists():
            remove_tree(temporary)
        refuse_strangers(url, e.stderr)
        raise WorkflowFailure(
            f"{url} ({key}) cannot be cloned: it is no git repository, or cannot be reached. "
            f"git says: {clone_error(e.stderr)}",
            hint=f"try it by hand: datalad clone '{url}' /tmp/try-it",
            failure_class=FailureClass.INPUT_UNAVAILABLE,
        ) from e
    call_git(["config", "annex.private", "true"], cwd=temporary)
    temporary.rename(target)


def clone_error(text: str) -> str:
    """Git's own words in DataLad's report of a failed clone."""
    fatal = [line for line in text.splitlines() if "fatal: " in line]
    return fatal[-1].partition("fatal: ")[2].strip("'] ") if fatal else last_line(text)


def pin_input(study: Study) -> str:
    """The input commit of this study.

    A version is resolved when it is first met, and again only when the
    configuration names another one: a branch that moves on the other side
    changes no running study.
    """
    memory = study.results / "input.json"
    asked = {"url": study.input_url, "version": study.input_version}
    known = read_json(memory) or {}
    if study.input.exists() and {k: known.get(k) for k in asked} == asked:
        return known["commit"]
    if study.input.exists() and known.get("url") != study.input_url:
        remove_tree(study.input)
    if not study.input.exists():
        clone(study.input_url, study.input, key="datalad.input_repo")
    else:
        call_git(["fetch", "-q", "--tags", "origin"], cwd=study.input)
    share_remotes(study.input)
    commit = registered_input(study) or resolve_version(study)
    write_json(memory, {**asked, "commit": commit})
    return commit


def registered_input(study: Study) -> str | None:
    """The input commit that the output dataset has registered, if it still holds.

    Raises `WorkflowFailure` where that commit is not in the input's history:
    the store then belongs to a study of another dataset.
    """
    base = head_of(study.dataset, f"{REMOTE}/{BASE}") if study.dataset.exists() else None
    if base is None:
        return None
    try:
        commit = call_git(["rev-parse", f"{base}:{study.input_path}"], cwd=study.dataset)
    except CommandError:
        return None
    if not call_git_success(["cat-file", "-e", f"{commit}^{{commit}}"], cwd=study.input):
        raise WorkflowFailure(
            f"The output store {study.output_url} holds results of an input commit "
            f"{commit[:10]}, which {study.input_url} does not have: it is another dataset.",
            hint="give this study an output store of its own, or correct datalad.input_repo.",
        )
    same = (read_setting(study.dataset, base, VERSION_SETTING) or "") == study.input_version
    return commit if same else None


def resolve_version(study: Study) -> str:
    """The commit that `datalad.input_version` names in the input's clone."""
    version = study.input_version
    names = [f"refs/remotes/origin/{version}", f"refs/tags/{version}", version]
    for name in names if version else ["HEAD"]:
        if not name.startswith("-") and (commit := head_of(study.input, name)):
            return commit
    if not version:
        raise WorkflowFailure(
            f"The input dataset {study.input_url} has no commits.",
            hint="save its content first: datalad save",
        )
    raise WorkflowFailure(
        f"datalad.input_version {version!r} is no branch, tag or commit of {study.input_url}.",
        hint=f"see what there is: git -C '{study.input}' branch -r; git -C '{study.input}' tag",
    )


def cached_units(study: Study, commit: str) -> Units:
    """The units at a commit, listed once per commit and selection."""
    memory = study.results / "units.json"
    asked = digest([commit, study.by_session, study.include, study.exclude])
    known = read_json(memory)
    if known and known["asked"] == asked:
        return Units(
            commit=commit,
            units=tuple(Unit(**unit) for unit in known["units"]),
            excluded=tuple((name, reason) for name, reason in known["excluded"]),
            root_files=tuple(known["root_files"]),
        )
    units = list_units(
        study.input,
        commit,
        by_session=study.by_session,
        include=study.include,
        exclude=study.exclude,
        source=study.input_url,
    )
    write_json(memory, {"asked": asked, **dataclasses.asdict(units)})
    return units


def write_unit_tables(units: Units, *, subjects: Path, excluded: Path) -> None:
    """Write `subjects.tsv` and `excluded.tsv`."""
    rows = ({"unit": u.name, **dataclasses.asdict(u)} for u in units.units)
    write_tsv(subjects, UNIT_COLUMNS, rows)
    write_tsv(
        excluded,
        ["unit", "reason"],
        ({"unit": name, "reason": reason} for name, reason in units.excluded),
    )


def read_unit(study: Study, name: str) -> Unit:
    """One unit from `subjects.tsv`, without a look at the dataset."""
    for row in read_tsv(study.results / "subjects.tsv"):
        if row["unit"] == name:
            return Unit(
                name=name,
                subject=row["subject"],
                session=None if row["session"] == "n/a" else row["session"],
                tree=row["tree"],
                inherited=row["inherited"],
                files=int(row["files"]),
                bytes=int(row["bytes"]),
            )
    raise WorkflowFailure(
        f"{name} is not a unit of study {study.name}: it does not stand in "
        f"{study.results / 'subjects.tsv'}.",
        hint="run `snakemake list_subjects` first, and see excluded.tsv there.",
    )


def preparation(study: Study, commit: str, key: str) -> str:
    """A digest of all that the study dataset is prepared from."""
    container = study.container
    return digest(
        [commit, key, container.name, call_format(study), container.outputs]
        + [study.input_url, study.input_version, study.input_path, study.output_url]
        + [str(study.lock_file)]
    )


def drop_outdated_files(opened: OpenStudy) -> None:
    """Remove `prepared.json` and the tables where they tell of another study than this."""
    study = opened.study
    prepared = read_json(study.results / "prepared.json") or {}
    if prepared.get("made_from") != preparation(study, opened.units.commit, opened.image_key):
        (study.results / "prepared.json").unlink(missing_ok=True)
    listed = [(row["unit"], row["tree"]) for row in read_tsv(study.results / "subjects.tsv")]
    if listed != [(unit.name, unit.tree) for unit in opened.units.units]:
        (study.results / "subjects.tsv").unlink(missing_ok=True)


def set_aside_records(opened: OpenStudy) -> None:
    """Move away the records of results that no longer hold, and back those that do again.

    Snakemake's own notes of a record's parameters would do, but they are lost
    with `.snakemake/`, and a restored record never had any.
    """
    jobs, aside = opened.study.results / "jobs", opened.study.results / "superseded"
    for name in opened.names:
        record = read_json(jobs / f"{name}.json")
        if record and record["fingerprint"] != opened.fingerprint(name):
            aside.mkdir(exist_ok=True)
            (jobs / f"{name}.json").replace(aside / f"{name}.json")
            record = None
        old = read_json(aside / f"{name}.json") if record is None and aside.exists() else None
        if old and old["fingerprint"] == opened.fingerprint(name):
            (aside / f"{name}.json").replace(jobs / f"{name}.json")


def restore_records(opened: OpenStudy) -> None:
    """Write the record of every unit whose result the store already has.

    The store is the truth: after a lost `results/` nothing is computed again.
    """
    study = opened.study
    jobs = study.results / "jobs"
    missing = [name for name in opened.names if not (jobs / f"{name}.json").exists()]
    if not missing or not study.dataset.exists():
        return
    if not call_git_success(["remote", "get-url", REMOTE], cwd=study.dataset):
        return
    fetch_output(study)
    done = read_ledger(study.dataset, f"refs/remotes/{REMOTE}/{MAIN}")
    results = list_job_branches(study.dataset, f"refs/remotes/{REMOTE}/", study.container.name)
    branches = list(read_branches(study.dataset, results))
    absent = missing_keys(
        opened.store, {key for b in branches for key in b.keys}, dataset=study.dataset
    )
    # What was merged was complete; a branch may have been announced by a job
    # whose content is lost.
    done |= {b.result.unit: b.result for b in branches if not b.keys & absent}
    for name in missing:
        result = done.get(name)
        if result and result.fingerprint == opened.fingerprint(name):
            write_json(
                jobs / f"{name}.json",
                {
                    "unit": name,
                    "commit": result.commit,
                    "fingerprint": result.fingerprint,
                    "input_commit": opened.units.commit,
                    "container_key": opened.image_key,
                    "restored": True,
                },
            )


def find_done(opened: OpenStudy) -> frozenset[str]:
    """Names of the units whose record has the fingerprint they must have now."""
    jobs = opened.study.results / "jobs"
    records = {name: read_json(jobs / f"{name}.json") for name in opened.names}
    return frozenset(
        name
        for name, record in records.items()
        if record and record["fingerprint"] == opened.fingerprint(name)
    )


def fetch_output(study: Study) -> None:
    """Learn every branch that the output store has now, and forget those it lost."""
    try:
        call_git(["fetch", "-q", "--prune", "--no-tags", REMOTE], cwd=study.dataset)
    except CommandError as e:
        raise WorkflowFailure(
            f"The output store {study.output_url} cannot be read: {last_line(e.stderr)}",
            hint="check that it is mounted and reachable, then start again; nothing was changed.",
            failure_class=FailureClass.STORE_UNAVAILABLE,
        ) from e
