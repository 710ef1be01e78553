"""The report of a study, read as a person does: in a browser, and by typing what it says."""

import json
import random
import shlex
import zipfile

import pytest
from bidsloom.base.files import read_tsv
from bidsloom.records.unit_state import UnitState
from bidsloom.reporting.causes import find_causes
from bidsloom.reporting.report_page import Pages, render_page
from bidsloom.reporting.sizing import Usage
from bidsloom.reporting.unit_states import Row
from helpers.browser import Browser
from helpers.studies import Workspace, make_workspace, run

EVIL = "</script><b id=evil>Füße</b> \udcff & \u2028 'quoted' \"twice\""


@pytest.fixture(scope="module")
def study(tmp_path_factory, input_dataset) -> Workspace:
    """A pilot: one subject merged, one failed, one left for later."""
    workspace = make_workspace(tmp_path_factory.mktemp("reported") / "my study", input_dataset)
    workspace.config["subjects"] = {"limit": 2}
    workspace.config["hpc"] = {"mem": "1G", "time": "00:10:00", "cpus": 2}
    workspace.config["report"] = {"price_per_core_hour": 0.5, "parallel_jobs": 7}
    (workspace.switches / "fail-02").write_text("37")
    workspace.snakemake(check=False)
    return workspace


@pytest.fixture
def page(study, browser) -> Browser:
    """The failed study's report."""
    browser.open(study.results / "report.html")
    return browser


def read_report(study: Workspace) -> dict:
    return json.loads((study.results / "report.json").read_text())


def test_report_tells_what_ran_and_what_it_took(study):
    """In `report.json`: the run's end, versions, command, causes, sizing; a table beside it."""
    told = read_report(study)
    assert "failed" == told["run"]["outcome"]
    assert told["run"]["log"].endswith(".snakemake.log")
    assert {"merged": 1, "failed": 1, "excluded": 1} == told["counts"]
    assert {"Snakemake", "DataLad", "git-annex", "git"} <= set(told["versions"])
    assert told["call_format"].startswith("( python3 -I {img} {cmd} ) && ( git ")
    assert told["command"].startswith("sourcedata/raw probe participant --participant-label 01")
    causes = [(c["state"], c["last_line"], c["units"]) for c in told["causes"]]
    assert ("failed", "no brain found in sub-02", ["sub-02"]) == causes[0]
    assert ("excluded", ["sub-03"]) == (causes[1][0], causes[1][2])
    # Of all three, the one beyond the pilot among them.
    assert (1, 3, 2) == tuple(
        told["sizing"][name] if name == "sample" else told["sizing"][name]["units"]
        for name in ("sample", "whole", "left")
    )
    assert (7, 0.5) == (
        told["sizing"]["whole"]["jobs"],
        told["sizing"]["whole"]["cost"]["value"] / told["sizing"]["whole"]["core_hours"]["value"],
    )
    record = study.record("sub-01")
    rows = {row["unit"]: row for row in read_tsv(study.results / "report.tsv")}
    assert str(record["cpu_seconds"]) == rows["sub-01"]["cpu_seconds"]
    assert record["peak"]["scratch_mb"] > 0
    files = study.tree().splitlines()
    assert len(files) == record["output"]["files"] > 0
    assert "n/a" == rows["sub-02"]["cpu_seconds"]


def test_page_of_a_failed_run(page, study):
    """It says so first; what failed is opened with a key, and tells why and what to type."""
    assert "The last run ended with an error" in page.texts(".banner")[0]
    assert ["1 of 2"] == page.texts(".verdict strong")
    assert "no brain found in sub-02" == page.texts(".causes .said")[0]
    page.ask("document.querySelectorAll('.open')[1].focus()")
    page.press("Enter", 13)
    (detail,) = page.texts("tr.more")
    assert "The app failed, exit code 37" in detail
    assert "no brain found in sub-02" in detail.split("Last lines of its log")[1]
    assert "correct the cause and run snakemake again" in detail
    assert page.ask("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.press("Enter", 13)
    assert [] == page.texts("tr.more")
    assert [] == page.complaints
    assert {(study.results / "report.html").as_uri()} == set(page.requests)


def test_what_the_page_says_can_be_typed(page, study):
    """The commands of a merged unit, in the order of the page."""
    page.click(".open")
    commands = dict(zip(page.texts(".more h3"), page.texts(".more .cmd code"), strict=True))
    show = commands["Its commit"]
    assert "Bidsloom-Unit: sub-01" in run("sh", "-c", show, cwd="/").stdout
    clone = page.texts("section:last-of-type .cmd code")[0]
    folder = study.root / "probe-results"
    run("sh", "-c", clone, cwd=study.root)
    opened = commands["Get and open its own report"]
    get, _, view = opened.partition(" && xdg-open ")
    run("sh", "-c", get, cwd=folder)
    assert "<p>sub-01</p>" == (folder / shlex.split(view)[0]).read_text()
    run("sh", "-c", commands["Compute it again"], cwd=folder)


def many_rows(n: int) -> list[Row]:
    """Units of a large study: most merged, some failed, some in a state of a later version."""
    draw = random.Random(4)
    rows = []
    for i in range(n):
        unit = f"sub-{i:05}"
        if i % 50 == 7:
            reason, log = f"probe failed for {unit}.", ("one", EVIL)
            rows.append(
                Row(
                    unit,
                    UnitState.FAILED,
                    "app_error",
                    1,
                    attempts=2,
                    reason=reason,
                    next=EVIL,
                    log=log,
                )
            )
        elif i % 50 == 8:
            rows.append(Row(unit, "running late"))
        else:
            seconds = round(draw.lognormvariate(8, 0.5), 1)
            usage = Usage(seconds=seconds, run_seconds=seconds, memory_mb=draw.gauss(5000, 500))
            rows.append(
                Row(unit, UnitState.MERGED, seconds=seconds, commit=f"{i:040x}", usage=usage)
            )
    return rows


@pytest.fixture(scope="module")
def large(study, tmp_path_factory):
    """The page of 5,000 units, and the units."""
    rows = many_rows(5000)
    states = [row.state for row in rows]
    causes = [{**vars(c), "units": list(c.units)} for c in find_causes(rows)]
    counts = {state: states.count(state) for state in set(states)}
    facts = {**read_report(study), "counts": counts, "causes": causes}
    del facts["units"]
    path = tmp_path_factory.mktemp("large") / "report.html"
    path.write_text(render_page(facts, rows, pages=Pages()), encoding="utf-8")
    return path, rows


def test_thousands_of_units_are_sorted_and_filtered(browser, large):
    """By a click on a head, by text, by state; a state nobody foresaw is one like any other."""
    path, rows = large
    browser.open(path)
    slowest = sorted((r for r in rows if r.seconds), key=lambda r: -r.seconds)
    browser.click("th[data-key=seconds] button")
    assert [r.unit for r in slowest[:25]] == browser.texts("#rows .open")
    assert "descending" == browser.ask(
        "document.querySelector('th[data-key=seconds]').getAttribute('aria-sort')"
    )
    browser.click("th[data-key=seconds] button")
    assert [slowest[-1].unit] == browser.texts("#rows .open")[:1]
    browser.click("th[data-key=unit] button")
    browser.ask("document.getElementById('search').focus()")
    browser.type("sub-001 füße exit")
    chosen = [r.unit for r in rows if "sub-001" in r.unit and r.state == "failed"]
    assert 2 == len(chosen)
    assert chosen == browser.texts("#rows .open")
    browser.ask("search.value = ''; search.dispatchEvent(new Event('input'))")
    browser.click(".legend button[title*='running late']")
    assert ["100 of 5,000 units"] == browser.texts("#found")
    assert {"running late"} == set(browser.texts("#rows .state"))
    browser.click(".causes button")
    assert {"failed"} == set(browser.texts("#rows .state"))
    browser.click("#only button")
    assert ["5,000 units"] == browser.texts("#found")
    browser.click("#pager button[aria-label='Last page']")
    assert rows[-1].unit == browser.texts("#rows .open")[-1]
    assert [] == browser.complaints


def test_nothing_a_log_holds_becomes_part_of_the_page(browser, large):
    """Tags, quotes, broken characters: all of it is text."""
    path, _ = large
    browser.open(path)
    browser.ask("document.querySelectorAll('.open')[7].click()")
    (log,) = browser.texts("tr.more pre")
    assert ["one", EVIL] == log.split("\n")
    assert browser.ask("document.getElementById('evil') === null")
    assert [] == browser.complaints


@pytest.mark.parametrize("width", [600, 1280])
def test_page_fits_its_window(browser, large, width):
    """Nothing but the table scrolls to the side, and it prints."""
    browser.open(large[0], width=width)
    assert width >= browser.ask("document.documentElement.scrollWidth")
    assert browser.print_pdf().startswith(b"%PDF")


def test_report_of_a_run_that_went_well(study, browser):
    """The next run takes the error back, and Snakemake's own report holds page and table."""
    (study.switches / "fail-02").unlink()
    study.snakemake()
    assert "finished" == read_report(study)["run"]["outcome"]
    study.snakemake("--cores", "1", "prove")
    study.snakemake("--cores", "1", "report")
    browser.open(study.results / "report.html")
    assert ["sub-01: identical", "sub-02: identical"] == browser.texts(
        "section[aria-labelledby=proof] li"
    )
    assert [] == browser.texts(".banner")
    assert ["2 of 2"] == browser.texts(".verdict strong")
    study.snakemake("--cores", "1", "--report", "whole.zip")
    with zipfile.ZipFile(study.root / "whole.zip") as archive:
        names = archive.namelist()
        for name in ("report.html", "report.tsv"):
            (inside,) = [n for n in names if n.endswith(f"/{name}") and "/data/" in n]
            assert (study.results / name).read_bytes() == archive.read(inside)
        index = next(n for n in names if n.count("/") == 1 and n.endswith("report.html"))
        assert '"probe": {"Other": ["results/probe/report.html"' in archive.read(index).decode()
