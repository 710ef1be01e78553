"""The documentation: it builds without a broken link, and its commands run on the demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
SCRIPTS = REPOSITORY / "workflow" / "scripts"
# Pages at the root of the repository, which are read there and not in the site.
FRONT_PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
# In the order in which they run: the tutorial comes first, it makes what others look at.
PAGES = [DOCS / "tutorial.md", *sorted(DOCS.glob("how-to/*.md"))]
# What the demo needs of the repository.
PARTS = ["Snakefile", "config", "demo", "profiles", "slurm", "workflow"]
MARK = re.compile(r"^<!-- run on the demo -->\n```sh\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """Commands of a page that are run on the demo."""

    page: Path
    line: int
    commands: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def find_blocks(page: Path) -> list[Block]:
    """The marked blocks of a page."""
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1])
        for found in MARK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in find_blocks(page)]


def run_in_shell(commands: str, *, cwd: Path, timeout: int = 240) -> None:
    """Commands as a reader types them, with the environment of this interpreter first on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
    )
    said = f"{commands}\nended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said


def build(docs: Path, site: Path) -> subprocess.CompletedProcess:
    """The site, with the options of `make docs`."""
    recipe = (REPOSITORY / "Makefile").read_text()
    (options,) = re.findall(r"sphinx-build (.*) -d \S+ docs site$", recipe, re.M)
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options.split(), "-d", site.with_name("doctrees")]
        + [docs, site],
        capture_output=True,
        text=True,
        timeout=240,
    )


def copy_docs(root: Path) -> Path:
    """All that the site is made from, in another folder."""
    shutil.copytree(DOCS, root / "docs")
    (root / "config").mkdir()
    for name in [*FRONT_PAGES, "config/README.md"]:
        shutil.copy(REPOSITORY / name, root / name)
    return root / "docs"


def test_site_builds_and_needs_no_other_host(tmp_path):
    """No link or anchor is broken, no page is forgotten, and a page loads nothing from elsewhere."""
    done = build(copy_docs(tmp_path), tmp_path / "site")
    assert (0, "") == (done.returncode, done.stderr)
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {page.stem for page in DOCS.rglob("*.md")} <= {page.stem for page in pages}
    loaded = re.compile(r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//|<link[^>]+href=\"https?:")
    assert [] == [page.name for page in pages if loaded.search(page.read_text())]


def test_build_fails_for_what_is_broken(tmp_path):
    """A broken link, a broken anchor and a page that nobody finds: each is named, and ends it."""
    docs = copy_docs(tmp_path)
    broken = {
        "concepts.md": "[a page](no-such-page.md)",
        "tutorial.md": "[a heading](concepts.md#no-such-heading)",
        "install.md": "[a heading of this page](#no-such-heading)",
        "forgotten.md": "# In no table of contents",
    }
    for page, text in broken.items():
        with (docs / page).open("a") as f:
            f.write(f"\n{text}\n")
    done = build(docs, tmp_path / "site")
    assert done.returncode != 0
    assert [] == [page for page in broken if f"{page}:" not in done.stderr]


@pytest.mark.parametrize("name", [*FRONT_PAGES, "config/README.md"])
def test_links_of_front_pages_lead_to_files(name):
    """Pages that are read in the repository link to files that are there."""
    page = REPOSITORY / name
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    targets = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [] == [link for link in targets if not (page.parent / link).exists()]


def test_readme_names_every_page():
    """Each page that users read can be found from the README."""
    text = (REPOSITORY / "README.md").read_text()
    made = {"index.md", "contributing.md", "changelog.md", "config.md"}
    pages = {page.relative_to(REPOSITORY).as_posix() for page in DOCS.rglob("*.md")}
    assert [] == sorted(p for p in pages if Path(p).name not in made and f"({p})" not in text)
    assert len(text.splitlines()) <= 120


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page):
    """A page names no file of the repository, and no module of the library, that has moved."""
    rooms = "|".join(room.name for room in (SCRIPTS / "bidsloom").glob("[a-z]*"))
    folders = f"{rooms}|workflow|profiles|tests|bench|docs"
    named = re.findall(rf"`((?:{folders})/[\w./-]+\.\w+)`", page.read_text())
    roots = [REPOSITORY, SCRIPTS / "bidsloom"]
    assert [] == [name for name in named if not any((root / name).exists() for root in roots)]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A copy of the repository in which `make demo` ran."""
    root = tmp_path_factory.mktemp("docs") / "repository"
    root.mkdir()
    made = shutil.ignore_patterns("bids", "derivatives.git", "scratch", "look", "__pycache__")
    for name in PARTS:
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():
            shutil.copy2(source, root / name, follow_symlinks=False)
        else:
            shutil.copytree(source, root / name, symlinks=True, ignore=made)
    run_in_shell("bash demo/run.sh", cwd=root)
    return root


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_commands_run_on_the_demo(demo, block):
    """What a page says to type works, in the order of the page."""
    run_in_shell(block.commands, cwd=demo)


def test_main_pages_have_commands_that_run():
    """The marks are found: a mark that is mistyped would silently run nothing."""
    pages = {block.page.name for block in BLOCKS}
    assert {"tutorial.md", "failures.md", "report.md", "proof.md", "subjects.md"} <= pages
    for page in DOCS.rglob("*.md"):
        assert page.read_text().count("run on the demo -->\n```") == len(find_blocks(page))
