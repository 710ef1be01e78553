"""What a merge adds to a `dataset_description.json`."""

import pytest
from bidsloom.merge.descriptions import About, complete, complete_links, complete_sources

APP = {
    "Name": "fmriprep",
    "Version": "25.1.4",
    "Container": {"Type": "apptainer", "Tag": "nipreps/fmriprep:25.1.4", "Digest": "md5:abc"},
}
WORKFLOW = {"Name": "bidsloom", "Version": "1"}
SOURCE = {"DOI": "doi:10.18112/openneuro.ds1.v1", "Version": "1.0.0", "URL": "https://o.org/ds1"}
ABOUT = About(
    name="study",
    generators=[APP, WORKFLOW],
    sources=[SOURCE],
    licence="CC0",
    authors=["A. Author"],
)
LINKS = {"raw": "../../sourcedata/raw"}


def made(**own):
    """A derivative's description, completed."""
    return complete(own, ABOUT, kind="derivative", links=LINKS)


def test_nothing_becomes_a_whole_description():
    """An app that describes nothing."""
    assert {
        "Name": "study",
        "BIDSVersion": "1.11.1",
        "DatasetType": "derivative",
        "License": "CC0",
        "Authors": ["A. Author"],
        "GeneratedBy": [APP, WORKFLOW],
        "SourceDatasets": [SOURCE],
        "DatasetLinks": LINKS,
    } == made()


def test_what_the_app_says_stays():
    """Keys that it has, the order of its entries, keys that nobody else knows."""
    own = {
        "Name": "fMRIPrep - fMRI PREProcessing workflow",
        "BIDSVersion": "1.4.0",
        "DatasetType": "derivative",
        "HowToAcknowledge": "Please cite us.",
        "License": "CC-BY",
        "GeneratedBy": [
            {"Name": "Conversion", "Version": "3"},
            {"Name": "fMRIPrep", "CodeURL": "https://x.org", "Container": {"Type": "docker"}},
        ],
    }
    found = made(**own)
    assert {key: own[key] for key in own if key != "GeneratedBy"}.items() <= found.items()
    first, second, third = found["GeneratedBy"]
    assert (own["GeneratedBy"][0], WORKFLOW) == (first, third)
    assert {
        **APP,
        **own["GeneratedBy"][1],
        "Container": {**APP["Container"], "Type": "docker"},
    } == (second)


def test_completing_twice_changes_nothing():
    """What a merge wrote is complete for the next one."""
    once = made(Name="app", GeneratedBy=[{"Name": "other name"}])
    assert once == made(**once)


def test_app_under_another_name_is_the_first():
    """The study calls it otherwise."""
    found = made(GeneratedBy=[{"Name": "fMRIPrep of the lab"}])["GeneratedBy"]
    assert ["fMRIPrep of the lab", "bidsloom"] == [entry["Name"] for entry in found]
    assert "25.1.4" == found[0]["Version"]


@pytest.mark.parametrize(
    "own", [{"DOI": "10.18112/openneuro.ds1.v1"}, {"URL": "https://o.org/ds1.git"}]
)
def test_source_that_the_app_names_is_completed(own):
    """By its DOI, or its URL."""
    assert [{**SOURCE, **own}] == complete_sources([own], [SOURCE])


def test_other_sources_stay_beside():
    """Such as templates."""
    other = {"URL": "https://templates.org"}
    assert [other, SOURCE] == complete_sources([other], [SOURCE])


def test_link_to_a_folder_of_a_job_leads_into_the_dataset():
    """The scratch folder is gone; other links stay."""
    own = {"raw": "/scratch/job-1/sourcedata/raw", "templateflow": "https://templates.org"}
    expected = {"raw": "../../sourcedata/raw", "templateflow": "https://templates.org"}
    assert expected == complete_links(own, LINKS)
    assert {"dataset": "../../sourcedata/raw", **LINKS} == complete_links(
        {"dataset": "file:///scratch/job-1/sourcedata/raw"}, LINKS
    )
    assert {"mine": "/data/mine", **LINKS} == complete_links({"mine": "/data/mine"}, LINKS)


@pytest.mark.parametrize(
    "own", [{"GeneratedBy": "x"}, {"SourceDatasets": {}}, {"DatasetLinks": []}]
)
def test_what_is_no_description_ends_no_merge(own):
    """Values of another kind than BIDS asks for are replaced by what is known."""
    assert [APP, WORKFLOW] == made(**own)["GeneratedBy"]
