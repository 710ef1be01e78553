"""Who is processed, who is not, and why."""

import sys

import pytest
from bidsloom.base.errors import ConfigFailure, WorkflowFailure
from bidsloom.config.study import Requirement, Selection
from bidsloom.units.listing import list_units
from bidsloom.units.selection import count_reasons, limit_units
from helpers.studies import REPOSITORY, git, run, write_bids

PARTICIPANTS = "participant_id\tgroup\tage\nsub-01\tpatient\t41\nsub-02\tcontrol\tn/a\n"


def require(at_least=1, **entities):
    """A requirement, each entity with a value or a list of them."""
    pairs = ((n, tuple(v) if isinstance(v, list) else (v,)) for n, v in entities.items())
    return Requirement(tuple(pairs), at_least)


def commit_all(root) -> str:
    git("add", "-A", cwd=root)
    git("commit", "-q", "-m", "x", cwd=root)
    return git("rev-parse", "HEAD", cwd=root)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Two subjects with sessions, two without; who is in the table differs."""
    root = tmp_path_factory.mktemp("bids")
    git("init", "-q", cwd=root)
    write_bids(root, {"02": [None], "01": ["pre", "post"], "10": ["pre"], "11": [None]})
    (root / "participants.tsv").write_text(PARTICIPANTS)
    func = root / "sub-02" / "func"
    func.mkdir()
    for run_label in ("01", "02"):
        (func / f"sub-02_task-rest_acq-fast_run-{run_label}_bold.nii.gz").touch()
        (func / f"sub-02_task-rest_run-{run_label}_events.tsv").touch()
    (root / "sub-01" / "ses-pre" / "anat" / "sub-01_ses-pre_T1w.nii.gz").unlink()
    meg = root / "sub-11" / "meg"
    for name in ("a", "b"):
        folder = meg / f"sub-11_task-{name}_meg.ds"
        folder.mkdir(parents=True)
        (folder / f"sub-11_task-{name}_meg.meg4").touch()
        (folder / f"sub-11_task-{name}_meg.res4").touch()
    commit_all(root)
    return root


def select(root, *, by_session=False, commit="HEAD", **selection):
    """Names of the units, and unit -> reason of those left out."""
    selection = Selection(**selection)
    listed = list_units(root, commit, by_session=by_session, selection=selection, source="ds")
    listed = limit_units(listed, selection.limit)
    return [u.name for u in listed.units], dict(listed.excluded)


def test_limit_takes_the_first_of_what_is_left(dataset):
    """A limit counts those that nothing else leaves out, sorted by name."""
    units, excluded = select(dataset, exclude=("01",), limit=2)
    assert units == ["sub-02", "sub-10"]
    assert excluded == {
        "sub-01": "listed in subjects.exclude",
        "sub-11": "beyond subjects.limit 2",
    }


def test_sessions(dataset):
    """Sessions that are not listed are left out, and subjects without any."""
    units, excluded = select(dataset, by_session=True, sessions=("post",))
    assert units == ["sub-01_ses-post"]
    assert excluded["sub-01_ses-pre"] == "session not listed in subjects.sessions"
    assert excluded["sub-02"] == "it has no sessions, and subjects.sessions names some"


def test_where(dataset):
    """Rows of the table choose subjects; who is not in it is left out for that."""
    units, excluded = select(dataset, where="group ==  'patient'")
    assert units == ["sub-01"]
    assert excluded["sub-02"] == "where: group == 'patient' is not true"
    assert excluded["sub-10"] == "not in participants.tsv, which subjects.where asks"


def test_where_reads_the_commit(dataset, tmp_path):
    """What is edited but not committed changes nobody's choice."""
    clone = tmp_path / "clone"
    git("clone", "-q", dataset, clone, cwd=tmp_path)
    (clone / "participants.tsv").write_text(PARTICIPANTS.replace("control", "patient"))
    assert select(clone, where="group == 'patient'")[0] == ["sub-01"]


@pytest.mark.parametrize("unlocked", [False, True])
def test_annexed_table(tmp_path, unlocked):
    """An annexed table is fetched from where it is; where it is not, a letter says so."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    run("datalad", "-l", "error", "create", origin, cwd=tmp_path)
    write_bids(origin, {"01": [None], "02": [None]})
    (origin / "participants.tsv").write_text(PARTICIPANTS)
    run("datalad", "-l", "error", "save", "-m", "x", cwd=origin)
    if unlocked:
        run("datalad", "-l", "error", "unlock", "participants.tsv", cwd=origin)
        git("commit", "-q", "-a", "-m", "unlocked", cwd=origin)
    run("datalad", "-l", "error", "clone", origin, clone, "--no-checkout", cwd=tmp_path)
    assert select(clone, where="age > 40")[0] == ["sub-01"]
    git("annex", "drop", "--force", "-q", "participants.tsv", cwd=origin)
    git("annex", "drop", "--force", "-q", "--all", cwd=clone)
    with pytest.raises(WorkflowFailure, match=r"annexed, and its content cannot be fetched") as e:
        select(clone, where="age > 40")
    assert "datalad get participants.tsv" in e.value.hint


@pytest.mark.parametrize(
    ("requirement", "units", "reason"),
    [
        (require(suffix="T1w"), ["sub-01", "sub-02", "sub-10", "sub-11"], None),
        (require(suffix="bold"), ["sub-02"], "no file with suffix=bold"),
        (require(suffix="bold", task="rest", run=1), ["sub-02"], "no file with suffix=bold, task"),
        (require(suffix="bold", run="2"), ["sub-02"], "no file with suffix=bold, run=2"),
        (require(2, suffix="bold"), ["sub-02"], "no file with suffix=bold; required: 2"),
        (
            require(suffix=["bold", "meg"], datatype=["func", "meg"]),
            ["sub-02", "sub-11"],
            "no file with suffix=bold or meg, datatype=func or meg",
        ),
        (require(acquisition="fast"), ["sub-02"], "no file with acquisition=fast"),
        (require(session="ses-pre"), ["sub-10"], "no file with session=ses-pre"),
        (require(suffix="events"), ["sub-02"], "no file with suffix=events"),
        (require(2, suffix="meg", extension="ds"), ["sub-11"], "no file with suffix=meg, ext"),
    ],
)
def test_required_files(dataset, requirement, units, reason):
    """Who lacks a required file is left out, for that reason."""
    chosen, excluded = select(dataset, require=(requirement,))
    assert chosen == units
    assert all(why.startswith(reason) for why in excluded.values())


def test_number_of_required_files_is_told(dataset):
    """The reason says how many there are."""
    wanted = require(3, suffix="bold", task="rest")
    units, excluded = select(dataset, exclude=("11",), require=(wanted,))
    assert units == []
    assert count_reasons(excluded.items()) == [
        "2: no file with suffix=bold, task=rest; required: 3 (sub-01, sub-10)",
        "1: 2 files with suffix=bold, task=rest; required: 3 (sub-02)",
        "1: listed in subjects.exclude (sub-11)",
    ]


@pytest.mark.parametrize(
    ("requirement", "units"),
    [
        (require(suffix="T1w"), ["sub-01_ses-post", "sub-10_ses-pre", "sub-02", "sub-11"]),
        (
            require(suffix="T1w", extension=".json", session="pre"),
            ["sub-01_ses-pre", "sub-10_ses-pre"],
        ),
    ],
)
def test_sidecar_is_no_image(dataset, requirement, units):
    """A T1w.json alone is no T1w image, unless that extension is asked for; a session's own files count."""
    assert sorted(units) == select(dataset, by_session=True, require=(requirement,))[0]


@pytest.mark.parametrize(
    ("unit", "requirement", "lack"),
    [
        ("sub-02", require(4, suffix=["bold", "events"]), None),
        ("sub-02", require(4, task="rest"), "2 files with task=rest; required: 4"),
        ("sub-11", require(3, suffix="meg"), "2 files with suffix=meg; required: 3"),
    ],
)
def test_tables_and_recordings(dataset, unit, requirement, lack):
    """A table counts where its suffix is asked for; a recording that is a folder counts once."""
    assert lack == select(dataset, require=(requirement,))[1].get(unit)


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        (require(sufix="T1w"), "did you mean 'suffix'?"),
        (require(acq="fast"), "did you mean 'acquisition'?"),
        (require(session=1), "put labels in quotes"),
    ],
)
def test_requirement_in_pybids_words(dataset, requirement, words):
    with pytest.raises(WorkflowFailure) as caught:
        select(dataset, require=(requirement,))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"include": ("1", "02")}, ["sub-1: listed in subjects.include", "did you mean sub-01?"]),
        ({"exclude": ("77",)}, ["sub-77: listed in subjects.exclude but absent from ds at"]),
        ({"sessions": ("Pre",)}, ["ses-Pre: listed in subjects.sessions", "mean ses-pre?"]),
        ({"include": tuple(f"x{n}" for n in range(9))}, ["sub-x4 and 4 more: listed"]),
        ({"include": ("9",), "exclude": ("8",)}, ["sub-9: listed", "sub-8: listed"]),
    ],
)
def test_unknown_labels_are_letters(dataset, selection, words):
    with pytest.raises(ConfigFailure) as caught:
        select(dataset, by_session=True, **selection)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(("where", "imported"), [("", "False"), ("age > 1", "True")])
def test_pandas_is_imported_for_where_alone(dataset, where, imported):
    """Two seconds of every start are spent where they are needed."""
    code = (
        "import sys; from pathlib import Path; from bidsloom.config.study import Selection\n"
        "from bidsloom.units.listing import list_units; import bidsloom.job.process\n"
        f"list_units(Path({str(dataset)!r}), 'HEAD', by_session=False, source='ds',\n"
        f"           selection=Selection(where={where!r}))\n"
        "print('pandas' in sys.modules)"
    )
    env = {"PYTHONPATH": str(REPOSITORY / "workflow" / "scripts")}
    assert imported == run(sys.executable, "-c", code, cwd=dataset, env=env).stdout.strip()
