"""Faults of the section `export`."""

import pytest
from bidsloom.base.errors import ConfigFailure
from bidsloom.config import read_study
from helpers.old_config import changed

CONFIG = changed("datalad", inputs=[{"path": "sourcedata/more", "repo": "/data"}])


def faults(base, **export) -> str:
    """All faults in one text; empty without one."""
    try:
        read_study({**CONFIG, "export": export}, base=base)
    except ConfigFailure as e:
        assert all(problem.hint for problem in e.problems)
        return "\n".join(str(problem) for problem in e.problems)
    return ""


@pytest.mark.parametrize(
    "export",
    [
        {},
        {"to": "a folder", "form": "zip", "leave_out": ["**/logs", "*.{a,b}"]},
        {"remote": {"type": "S3", "bucket": "b", "port": 80, "public": True}},
    ],
)
def test_what_can_be_exported_to_has_no_fault(tmp_path, export):
    """A folder, zip files, a special remote."""
    assert "" == faults(tmp_path, **export)


@pytest.mark.parametrize(
    ("export", "words"),
    [
        ({"to": "x", "remote": {"type": "S3"}}, "export.to and export.remote are both set"),
        ({"to": "results/x"}, "the study's results"),
        ({"to": "/data/inside"}, "and datalad.inputs.0.repo (/data) are the same folder, or one"),
        ({"to": "https://example.org/x"}, "use export.remote for what is no folder"),
        ({"to": "~nouser/x"}, "no usable path"),
        ({"to": 5}, "export.to is 5"),
        ({"form": "tar"}, "export.form is 'tar'"),
        ({"remote": {"bucket": "b"}}, "export.remote has no type"),
        ({"remote": {"type": "S3"}, "form": "zip"}, "only a folder can have zip files"),
        ({"remote": {"type": "S3", "exporttree": "yes"}}, "an export sets that itself"),
        ({"remote": {"type": "S3", "secret_key": "x"}}, "does not belong into a config"),
        ({"remote": {"type": "S3", "encryption": "shared"}}, "are not encrypted"),
        ({"remote": {"type": "directory", "directory": "x"}}, "no absolute path"),
        ({"leave_out": ["/abs"]}, "it is absolute"),
        ({"leave_out": ["a//b"]}, "it has an empty part"),
        ({"leave_out": ["{a"]}, "it has a '{' without its '}'"),
    ],
)
def test_each_fault_names_its_key_and_the_remedy(tmp_path, export, words):
    """Found before anything is exported."""
    assert words in faults(tmp_path, **export)


def test_settings_are_as_git_annex_reads_them(tmp_path):
    """Truth values are yes and no; the order of the file makes no difference."""
    remote = {"type": "S3", "public": True, "port": 80, "bucket": "b"}
    study = read_study({**CONFIG, "export": {"remote": remote}}, base=tmp_path)
    expected = (("bucket", "b"), ("port", "80"), ("public", "yes"), ("type", "S3"))
    assert expected == study.export.remote
