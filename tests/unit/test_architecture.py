"""The rooms of the library: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TESTS = REPOSITORY / "tests"
LIBRARY = REPOSITORY / "workflow" / "scripts" / "bidsloom"

# From top to bottom; rooms of one floor do not know each other.
FLOORS = [
    ["commands"],
    ["chains", "page"],
    ["main_process"],
    ["reporting", "erasure"],
    ["scheduling", "proof", "handover"],
    ["prepare", "job", "merge"],
    ["checks"],
    ["records"],
    ["units", "containers"],
    ["datasets"],
    ["config"],
    ["base"],
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported_modules(path: Path, library: Path) -> set[str]:
    """Modules of the library that a file imports, as `room.module` or `room`."""
    package = path.relative_to(library).parent.parts
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            level = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*(["bidsloom"] if node.level else []), *level])
            module = ".".join(filter(None, [start, node.module]))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "bidsloom":
                module = library.joinpath(*parts[1:3]).with_suffix(".py")
                found.add(".".join(parts[1:3] if module.exists() else parts[1:2]))
    return found


def read_arrows(library: Path) -> dict[str, set[str]]:
    """Module -> the modules that it imports; a room's `__init__` goes by the room's name."""
    arrows = {}
    for path in sorted(library.glob("*/*.py")):
        name = ".".join(path.relative_to(library).with_suffix("").parts)
        arrows[name.removesuffix(".__init__")] = imported_modules(path, library)
    return arrows


def wrong_arrows(arrows: dict[str, set[str]]) -> list[str]:
    """Imports that lead up, or to another room of the same floor."""
    return [
        f"{source} imports {target}"
        for source, targets in arrows.items()
        for target in sorted(targets)
        if (a := source.partition(".")[0]) != (b := target.partition(".")[0])
        and FLOOR_OF[b] <= FLOOR_OF[a]
    ]


def find_circle(arrows: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, or none."""
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in done:
            for target in sorted(arrows.get(module, ())):
                if circle := visit(target, [*trail, module]):
                    return circle
            done.add(module)
        return []

    return next(filter(None, (visit(module, []) for module in arrows)), [])


def plant(library: Path, path: str, text: str) -> None:
    """Write a module into a library that a test made."""
    file = library / path
    file.parent.mkdir(parents=True, exist_ok=True)
    (file.parent / "__init__.py").touch()
    file.write_text(text)


def test_every_room_has_a_floor_and_nothing_lies_beside_the_rooms():
    """The map in this test is the library as it is."""
    there = {p.name for p in LIBRARY.iterdir() if p.name != "__pycache__"}
    assert {*FLOOR_OF, "__init__.py"} == there


def test_imports_lead_down():
    """A room imports only from lower floors."""
    assert [] == wrong_arrows(read_arrows(LIBRARY))


def test_no_modules_import_each_other():
    """There is no circle, inside a room neither."""
    assert [] == find_circle(read_arrows(LIBRARY))


@pytest.mark.parametrize(
    "text",
    [
        "from ..reporting.report import write_report",
        "from ..reporting import report",
        "def late():\n    from ..main_process import opening",
        "import bidsloom.reporting.report",
        "from bidsloom.scheduling.slurm import ask",
        "from ..merge.merge import merge_branches",
    ],
)
def test_a_planted_upward_import_is_found(tmp_path, text):
    """The guard sees every way to write an import."""
    plant(tmp_path, "job/process.py", text)
    assert 1 == len(wrong_arrows(read_arrows(tmp_path)))


def test_a_planted_circle_is_found(tmp_path):
    """Three modules of one room that import each other."""
    for module, other in (("a", "b"), ("b", "c"), ("c", "a")):
        plant(tmp_path, f"job/{module}.py", f"from . import {other}")
    assert ["job.a", "job.b", "job.c", "job.a"] == find_circle(read_arrows(tmp_path))


def test_one_module_starts_programs_and_none_knows_snakemake():
    """Programs are started in one place; the library runs without Snakemake."""
    starts, knows = [], []
    for path in sorted(LIBRARY.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                if name.partition(".")[0] == "subprocess":
                    starts.append(path.relative_to(LIBRARY).as_posix())
                if name.partition(".")[0].startswith("snakemake"):
                    knows.append(path.relative_to(LIBRARY).as_posix())
    assert (["base/runners.py"], []) == (starts, knows)


def test_files_stay_short():
    """A file of more than 350 lines holds a second idea."""
    lengths = {
        path.relative_to(LIBRARY).as_posix(): len(path.read_text().splitlines())
        for path in LIBRARY.rglob("*.py")
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > 350}


def imported_tests(path: Path) -> list[str]:
    """Test modules, and conftest files, that a file imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return [
        name
        for name in names
        if any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    ]


def test_no_test_imports_another():
    """What several tests need is in tests/helpers, or a fixture."""
    found = {
        path.relative_to(TESTS).as_posix(): imported_tests(path) for path in TESTS.rglob("*.py")
    }
    assert {} == {path: names for path, names in found.items() if names}


@pytest.mark.parametrize(
    "text",
    [
        "from test_reading import OLD",
        "import conftest",
        "from ..config.test_reading import OLD",
        "def late():\n    from unit.config import test_reading",
    ],
)
def test_a_planted_import_of_a_test_is_found(tmp_path, text):
    """The guard sees every way to write one."""
    (tmp_path / "test_planted.py").write_text(text)
    assert 1 == len(imported_tests(tmp_path / "test_planted.py"))


def test_unit_tests_mirror_the_rooms():
    """A test of a module has its name, in a folder with the name of its room."""
    scripts = {
        path.stem
        for folder in ("workflow/scripts", "tools")
        for path in (REPOSITORY / folder).rglob("*.py")
        if not path.is_relative_to(LIBRARY)
    }
    tested = {"scripts": scripts, "demo": {path.stem for path in REPOSITORY.glob("demo/*.py")}}
    for room in FLOOR_OF:
        # A test that goes through several modules of a room has the name of the room.
        tested[room] = {room, *(path.stem for path in LIBRARY.glob(f"{room}/*.py"))}
    assert [] == [
        path.relative_to(TESTS).as_posix()
        for path in sorted(TESTS.glob("unit/*/test_*.py"))
        if path.stem.removeprefix("test_") not in tested.get(path.parent.name, ())
    ]
