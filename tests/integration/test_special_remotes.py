"""Content in special remotes, by real servers: S3 buckets, WebDAV, rclone."""

import pytest
from helpers.buckets import KEYS, serve_buckets
from helpers.studies import git, run


@pytest.fixture(scope="module")
def buckets():
    with serve_buckets() as found:
        yield found


def as_arguments(parameters):
    """Parameters of a special remote, as git-annex takes them."""
    return [f"{name}={value}" for name, value in parameters.items()]


def test_input_whose_content_is_in_a_public_bucket(workspace, input_dataset, buckets, tmp_path):
    """As OpenNeuro's: the git repository has no content, and names a bucket that all may read."""
    buckets.make("open-data.org", public=True)
    dataset = tmp_path / "published"
    git("clone", "-q", input_dataset, dataset, cwd=tmp_path)
    git("annex", "init", "-q", cwd=dataset)
    about = buckets.parameters(
        "open-data.org",
        fileprefix="ds000001/",
        exporttree="yes",
        versioning="yes",
        public="yes",
        autoenable="true",
        publicurl=f"{buckets.url}/open-data.org/",
    )
    git("annex", "get", "-q", ".", cwd=dataset)
    run("git", "annex", "initremote", "s3-PUBLIC", *as_arguments(about), cwd=dataset, env=KEYS)
    run("git", "annex", "export", "-q", "HEAD", "--to", "s3-PUBLIC", cwd=dataset, env=KEYS)
    # What GitHub has of it.
    host = tmp_path / "host.git"
    git("init", "-q", "--bare", host, cwd=tmp_path)
    git("push", "-q", host, "HEAD:refs/heads/main", "git-annex", cwd=dataset)
    # The bucket keeps the version that the dataset names, also where it is not the newest.
    image = "ds000001/sub-01/anat/sub-01_T1w.nii.gz"
    buckets.client.put_object(Bucket="open-data.org", Key=image, Body=b"newer", ACL="public-read")
    assert not (host / "annex").exists()
    workspace.config["datalad"]["input_repo"] = str(host)
    workspace.snakemake()
    assert ["01", "02", "03"] == workspace.runs()
    clone = workspace.clone()
    run("datalad", "get", "probe", cwd=clone)
    data = (clone / "probe" / "sub-01" / "sub-01_desc-probe.dat").read_bytes()
    assert b"voxels of sub-01" in data
