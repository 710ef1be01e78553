"""Content in special remotes, by real servers: S3 buckets, WebDAV, rclone."""

import shutil
from pathlib import Path

import pytest
from helpers.buckets import KEYS, serve_buckets
from helpers.dav import serve_dav
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


@pytest.fixture
def hosted(tmp_path):
    """A repository of a host that knows no git-annex, such as GitLab."""
    host = tmp_path / "hosted.git"
    git("init", "-q", "--bare", host, cwd=tmp_path)
    return host


@pytest.mark.more
def test_content_of_results_on_a_webdav_server(workspace, hosted, tmp_path):
    """Git has the results' names, the server their content; credentials are in one file alone."""
    (tmp_path / "dav").mkdir()
    with serve_dav(tmp_path / "dav") as server:
        content = {"type": "webdav", "url": f"{server.url}/study"}
        secrets = tmp_path / "secrets"
        workspace.config["datalad"] |= {
            "output_repos": [hosted.as_uri()],
            "output_content": content,
            "credentials_file": str(secrets),
        }
        workspace.config["subjects"] = {"include": ["01", "02"]}
        lines = "".join(f"{name}={value}\n" for name, value in server.credentials.items())
        secrets.write_text(lines.replace(server.password, "wrong"))
        refused = workspace.snakemake("-n", check=False)
        assert "has the mode 644" in refused.stderr
        secrets.chmod(0o600)
        refused = workspace.snakemake(check=False)
        assert refused.returncode
        assert "the server refuses the credentials" in refused.stderr
        secrets.write_text(lines)
        workspace.snakemake()
        assert ["01", "02"] == workspace.runs()
        clone = workspace.clone(url=hosted.as_uri())
        run("datalad", "get", "probe", cwd=clone, env=server.credentials)
        data = (clone / "probe" / "sub-02" / "sub-02_desc-probe.dat").read_bytes()
        assert b"voxels of sub-02" in data
        # Lost records are found again, and nothing is sent a second time.
        sent = [path for path in server.puts if not path.endswith("-tmp-test")]
        assert len(set(sent)) == len(sent)
        shutil.rmtree(workspace.results / "jobs")
        workspace.snakemake()
        assert ["01", "02"] == workspace.runs()
        assert sent == [path for path in server.puts if not path.endswith("-tmp-test")]
        # The trial of a check leaves nothing there.
        before = files_with("", tmp_path / "dav")
        checked = workspace.snakemake("--cores", "1", "check")
        assert "a file was sent to webdav" in checked.stdout + checked.stderr
        assert before == files_with("", tmp_path / "dav")
    assert [] == files_with(server.password, workspace.root)


def files_with(secret: str, root: Path) -> list[Path]:
    """Files below a folder that contain a text."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return [path for path in files if secret.encode() in path.read_bytes()]
