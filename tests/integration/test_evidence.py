"""What crashed can be seen: the files of failed attempts are kept, and the report opens them."""

import json
import re
import sys
from urllib.parse import quote

import pytest
from bidsloom.base.files import read_tsv
from helpers.servers import receive_posts
from helpers.studies import REPOSITORY, Workspace, make_workspace, run


@pytest.fixture(scope="module")
def study(tmp_path_factory, input_dataset) -> Workspace:
    """One unit is merged, one crashed and failed, one crashed but ended well."""
    workspace = make_workspace(tmp_path_factory.mktemp("crashed") / "my study", input_dataset)
    container = workspace.config["container"]
    container["name"], container["outputs"] = "fmriprep", ["probe"]
    container["bids_args"]["work-dir"] = "{work_dir}"
    (workspace.switches / "crash-02").write_text("3")
    (workspace.switches / "crash-03").write_text("0")
    workspace.config["notify"] = {"urls_variable": "TELL", "on": ["failure"]}
    with receive_posts() as (address, posts):
        workspace.snakemake(check=False, env={"TELL": f"json://{address}/"})
        workspace.first_messages = list(posts)
    return workspace


def read_report(study: Workspace) -> dict:
    return json.loads((study.results / "report.json").read_text())


def files_below(folder) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def test_files_of_a_failed_attempt_are_kept(study):
    """Crash files, pages with their figures; no link out of the dataset, no fifo."""
    assert ["sub-02"] == [path.name for path in (study.results / "evidence").iterdir()]
    *kept, at_work = files_below(study.results / "evidence" / "sub-02" / "1")
    assert [
        "probe/sub-02.html",
        "probe/sub-02/figures/a brain.svg",
        "probe/sub-02/log/crash-1.txt",
        "probe/sub-02_<b id=evil>#1.html",
    ] == kept
    assert re.fullmatch(r"tmp/datalad-run-\w+/crash-2.txt", at_work)
    (attempt,) = study.attempts("sub-02")
    assert ("app_error", 3) == (attempt["failure_class"], attempt["exit_code"])


def test_report_says_what_crashed_and_what_is_not_complete(study):
    """Crashes that end alike are one, over failed attempts and results that are held."""
    told = read_report(study)
    assert {"merged": 1, "failed": 1, "incomplete": 1} == told["counts"]
    (crash,) = told["crashes"]
    assert ["sub-02", "sub-03"] == sorted(crash["units"])
    assert {"skull_strip", "segment"} == set(crash["nodes"])
    assert (3, "fmriprep") == (crash["files"], told["completeness"]["suggested"])
    units = {unit["unit"]: unit for unit in told["units"]}
    assert ["crash file probe/sub-03/log/crash-1.txt"] == units["sub-03"]["reasons"]
    assert "accept.py sub-03" in units["sub-03"]["next"]
    assert ["pages/sub-03/probe/sub-03.html"] == units["sub-03"]["pages"]
    assert "evidence/sub-02/1/probe/sub-02.html" == units["sub-02"]["evidence"][0]
    rows = {row["unit"]: row for row in read_tsv(study.results / "report.tsv")}
    assert "pages/sub-01/probe/sub-01.html" == rows["sub-01"]["page"]
    # A figure is copied with its page, nothing else of the result is.
    assert [
        ".made_from.json",
        "probe/sub-03.html",
        "probe/sub-03/figures/a brain.svg",
    ] == files_below(study.results / "pages" / "sub-03")


def test_message_counts_incomplete_results_apart(study):
    """They are no failures of the app, and no success."""
    (told,) = study.first_messages
    assert "bidsloom: probe ended with failures" == told["title"]
    lines = told["message"].splitlines()
    assert "1 merged, 1 failed, 1 incomplete" == lines[0]
    assert ["Failed: 1 app_error", "Not complete: 1 to be looked at, not merged"] == lines[1:3]


def test_page_opens_them_in_place(study, browser):
    """By a link, with the figure; names and texts of the app are text."""
    browser.open(study.results / "report.html")
    assert ["fmriprep"] == browser.texts("#completeness code")[1:2]
    assert "<b id=evil>no brain</b>" in browser.texts("section[aria-labelledby=crashes] .said")[0]
    browser.click("section[aria-labelledby=crashes] button")
    assert ["sub-02", "sub-03"] == browser.texts("#rows .open")
    browser.ask("document.querySelectorAll('.open').forEach(e => e.click())")
    assert "attempt 1: probe/sub-02_<b id=evil>#1.html" in browser.texts("a.own")
    assert browser.ask("document.getElementById('evil') === null")
    links = browser.ask("[...document.querySelectorAll('a.own')].map(a => a.getAttribute('href'))")
    assert quote("evidence/sub-02/1/probe/sub-02_<b id=evil>#1.html") in links
    assert [] == browser.complaints
    for link in ("evidence/sub-02/1/probe/sub-02.html", "pages/sub-03/probe/sub-03.html"):
        assert link in links
        browser.open(study.results / link)
        assert " crashed" in browser.texts("p")[0]
        assert 7 == browser.ask("document.images[0].naturalWidth")


def test_evidence_goes_when_the_unit_is_done(study):
    """After a success, and after an incomplete result was accepted; pages can be turned off."""
    (study.switches / "crash-02").unlink()
    study.config["report"] = {"unit_pages": 1}
    with receive_posts() as (address, posts):
        done = study.snakemake(check=False, env={"TELL": f"json://{address}/"})
    assert ["bidsloom: probe ended with incomplete results"] == [told["title"] for told in posts]
    assert [] == list((study.results / "evidence").iterdir())
    assert 1 == done.returncode and "sub-03: incomplete" in done.stderr
    # What is to be looked at comes first.
    assert ["sub-03"] == [path.name for path in (study.results / "pages").iterdir()]
    accept = REPOSITORY / "workflow" / "scripts" / "accept.py"
    study.config["report"] = {"unit_pages": 0}
    run(sys.executable, accept, "--config", study.write_config(), "sub-03", cwd=study.root)
    assert {"merged": 3} == read_report(study)["counts"]
    assert [] == list((study.results / "pages").iterdir())
