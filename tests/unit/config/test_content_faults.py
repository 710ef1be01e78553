"""Where the content of results is kept: what a configuration cannot say."""

import pytest
from bidsloom.config.content_faults import find_content_faults

DAV = {"type": "webdav", "url": "https://cloud.example.org/dav"}


def faults(content, store="/data/store.git"):
    config = {"datalad": {"output_repos": [store], "output_content": content}}
    return [f"{fault}" for fault in find_content_faults(config)]


@pytest.mark.parametrize("content", [{}, DAV, {"type": "S3", "bucket": "b", "port": 9000}])
def test_usual_stores_have_no_fault(content):
    assert [] == faults(content)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"embedcreds": "yes"}, "credentials are never kept in the dataset"),
        ({"exporttree": True}, "jobs store each file under its key"),
        ({"chunk": "50MiB"}, "of which chunks a file consists"),
        ({"a=b": "c"}, "no parameter of git-annex"),
        ({"url": "https://jane:secret@cloud.example.org/dav"}, "datalad.credentials_file"),
    ],
)
def test_parameters_that_cannot_work_are_refused_by_name(more, words):
    (said,) = faults({**DAV, **more})
    assert words in said
    assert "secret" not in said


def test_ria_store_keeps_its_content_itself():
    (said,) = faults(DAV, store="ria+file:///data/store#~results")
    assert "RIA store" in said
