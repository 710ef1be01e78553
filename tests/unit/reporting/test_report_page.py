"""The report's page: its data, and the apps' own pages that it links."""

import json

from bidsloom.reporting.report_page import Pages, clean, script_json


def test_data_cannot_end_its_script_and_arrives_whole():
    evil = {"unit": "</script><script>alert(1)</script>", "log": ["ä \udcff & \u2028 <!-- '\""]}
    text = script_json(evil)
    assert "<" not in text and "&" not in text and text.isascii()
    assert evil == json.loads(text)


def test_terminal_colours_are_left_out():
    assert "\tred alert" == clean("\t\x1b[31mred\x1b[0m alert\x07")


def test_pages_of_units():
    """A report is its subject's, a session's, or one of several of a unit."""
    files = ["sub-1.html", "sub-1_ses-a_T1w.html", "sub-2_T1w.html", "ses-c/sub-1.html"]
    pages = Pages.of(files)
    assert ["sub-1.html", "sub-1_ses-a_T1w.html"] == pages.of_unit("sub-1")
    assert ["sub-1_ses-a_T1w.html"] == pages.of_unit("sub-1_ses-a")
    assert ["sub-1.html"] == pages.of_unit("sub-1_ses-b")
    assert ["sub-2_T1w.html"] == pages.of_unit("sub-2")
    assert ["ses-c/sub-1.html"] == pages.of_unit("sub-1_ses-c")
    assert [] == pages.of_unit("sub-3")
