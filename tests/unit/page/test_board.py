"""What viewers are sent."""

from bidsloom.page.board import View, differences, live_cells, next_view
from bidsloom.page.memory import Folder
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.unit_states import Row


def cells(**states):
    return {unit: live_cells(Row(unit, UnitState(state)), None) for unit, state in states.items()}


def test_viewers_are_sent_what_they_lack():
    """Differences add up to the whole, from whichever version a viewer comes."""
    views = [View()]
    for states, facts in (
        ({"a": "waiting", "b": "waiting"}, {"counts": 2, "app": "x"}),
        ({"a": "running", "b": "waiting"}, {"counts": 1, "app": "x"}),
        ({"a": "running", "b": "failed"}, {"counts": 1, "app": "x"}),
    ):
        views.append(next_view(views[-1], {}, cells(**states), facts))
    assert [0, 1, 2, 3] == [view.version for view in views]
    last = views[-1]
    assert {"full": False, "facts": {}, "changed": []} == differences(last, 3)
    assert ["b"] == [c["unit"] for c in differences(last, 2)["changed"]]
    told = differences(last, 1)
    assert (["a", "b"], {"counts": 1}) == ([c["unit"] for c in told["changed"]], told["facts"])
    for unknown in (None, 0, 4):
        whole = differences(last, unknown)
        assert (True, ["running", "failed"]) == (whole["full"], whole["units"]["state"])


def test_nothing_new_is_no_new_version():
    first = next_view(View(), {}, cells(a="waiting"), {"x": 1})
    assert 1 == next_view(first, {}, cells(a="waiting"), {"x": 1}).version


def test_another_list_of_units_is_sent_whole():
    first = next_view(View(), {}, cells(a="waiting"), {})
    second = next_view(first, {}, cells(a="waiting", b="waiting"), {})
    assert differences(second, 1)["full"]


def test_only_changed_files_are_read_again(tmp_path):
    """Files are replaced as a whole; one that goes is forgotten."""
    read = []
    folder = Folder(lambda path: read.append(path.stem) or path.read_text())
    folder.refresh(tmp_path / "none")
    assert ({}, 0) == (folder.values, folder.version)
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.json").write_text("1")
    folder.refresh(tmp_path)
    assert ["a", "b", "c"] == sorted(read)
    (tmp_path / "new").write_text("22")
    (tmp_path / "new").replace(tmp_path / "b.json")
    (tmp_path / "c.json").unlink()
    folder.refresh(tmp_path)
    assert ({"a": "1", "b": "22"}, 4) == (folder.values, len(read))
    before = folder.version
    folder.refresh(tmp_path)
    assert before == folder.version
