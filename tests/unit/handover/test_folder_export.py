"""A folder that is brought up to date, from a store made by hand."""

import io
import stat
import zipfile

import pytest
from bidsloom.datasets.output_datasets import OutputDataset
from bidsloom.datasets.stores import store_at
from bidsloom.handover.checksums import sha256_key
from bidsloom.handover.contents import Contents, Part, outline
from bidsloom.handover.destination import opened
from bidsloom.handover.folder_export import export_to_folder
from helpers.studies import git, run


def packed(files: dict[str, bytes], links: dict[str, str]) -> bytes:
    """An archive as `code/pack_outputs.py` makes it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFREG | (0o755 if name.endswith(".sh") else 0o644)) << 16
            archive.writestr(info, data)
        for name, target in links.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return content.getvalue()


@pytest.fixture
def store(tmp_path):
    """A repository with a work tree, in which a test writes and saves."""
    git("init", "-q", "-b", "main", "work", cwd=tmp_path)
    git("annex", "init", "-q", cwd=tmp_path / "work")
    git("config", "annex.largefiles", "include=*.zip", cwd=tmp_path / "work")
    return tmp_path / "work"


def export(store, folder, *, is_packed=False, zipped=False):
    """Commit what is in the work tree, and export it."""
    git("add", "-A", cwd=store)
    git("commit", "-q", "-m", "x", "--allow-empty", cwd=store)
    bare = store.with_name("store.git")
    if not bare.exists():
        run("git", "clone", "-q", "--bare", store, bare, cwd="/")
        git("annex", "init", "-q", cwd=bare)
        git("remote", "add", "store", str(bare), cwd=store)
    git("push", "-q", "store", "main", cwd=store)
    git("annex", "copy", "-q", "--to", "store", ".", cwd=store)
    output = OutputDataset("", bare, store_at(str(bare), name="x"))
    part = Part(output, git("rev-parse", "main^{tree}", cwd=bare), "", "")
    groups: dict = {}
    for found in outline(part):
        groups.setdefault(found.group, {}).setdefault(0, []).append(found)
    contents = Contents("main", [part], groups, [], packed=is_packed)
    with opened(folder, study="s", dataset="d") as destination:
        return export_to_folder(contents, destination, zipped=zipped, check_content=False)


def there(folder) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file() and ".bidsloom-export" not in p.parts)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_files_in_archives_are_plain_files(store, tmp_path):
    """As if they had not been packed; links become what they lead to, and a change is noticed."""
    (store / "app").mkdir()
    (store / "app" / "sub-01.html").write_text("page")
    files = {"anat/a.nii": b"\0a" * 99, "run.sh": b"#!", "surf/lh.white": b"w"}
    links = {"b.nii": "anat/a.nii", "surfaces": "surf", "lost": "../../x", "round": "round"}
    (store / "app" / "sub-01.zip").write_bytes(packed(files, links))
    tally = export(store, tmp_path / "out", is_packed=True)
    expected = {f"app/sub-01/{name}": data for name, data in files.items()}
    expected |= {"app/sub-01/b.nii": files["anat/a.nii"], "app/sub-01/surfaces/lh.white": b"w"}
    expected["app/sub-01.html"] = b"page"
    assert expected == there(tmp_path / "out")
    assert ["app/sub-01/lost", "app/sub-01/round"] == tally.lost_links
    assert (tmp_path / "out" / "app" / "sub-01" / "run.sh").stat().st_mode & 0o100
    tally = export(store, tmp_path / "out", is_packed=True)
    assert (0, ["app/sub-01/lost", "app/sub-01/round"]) == (tally.copied, tally.lost_links)

    (store / "app" / "sub-01.zip").unlink()
    (store / "app" / "sub-01.zip").write_bytes(packed({**files, "anat/a.nii": b"\0b" * 99}, {}))
    again = export(store, tmp_path / "out", is_packed=True)
    assert (1, 2) == (again.copied, again.removed)
    assert b"\0b" * 99 == there(tmp_path / "out")["app/sub-01/anat/a.nii"]


def test_file_takes_the_place_of_a_folder_and_back(store, tmp_path):
    """Whatever main has at a path, the export has there."""
    (store / "sub-01").mkdir()
    (store / "sub-01" / "x").write_text("in a folder")
    (store / "logs").write_text("a file")
    export(store, tmp_path / "out")
    git("rm", "-q", "-r", "sub-01", "logs", cwd=store)
    (store / "sub-01").write_text("a file")
    (store / "logs").mkdir()
    (store / "logs" / "x").write_text("in a folder")
    tally = export(store, tmp_path / "out")
    assert {} == tally.missing
    assert {"sub-01": b"a file", "logs/x": b"in a folder"} == there(tmp_path / "out")


def test_names_that_are_no_text(store, tmp_path):
    """A file whose name is not UTF-8 is exported, noted, and removed again."""
    name = b"sub-01_\xff.txt".decode(errors="surrogateescape")
    (store / name).write_text("odd")
    (store / "a\nb").write_text("odder")
    assert 2 == export(store, tmp_path / "out").copied
    assert {name: b"odd", "a\nb": b"odder"} == there(tmp_path / "out")
    assert 0 == export(store, tmp_path / "out").copied
    git("rm", "-q", "a\nb", cwd=store)
    (store / name).unlink()
    (store / "rest").touch()
    assert 2 == export(store, tmp_path / "out").removed
    assert {"rest": b""} == there(tmp_path / "out")


def test_zip_file_is_noted_with_its_checksum(store, tmp_path):
    """Damage of a zip file that leaves its size is found where content is read."""
    (store / "sub-01.txt").write_text("x" * 1000)
    export(store, tmp_path / "out", zipped=True)
    file = tmp_path / "out" / "sub-01.zip"
    before, key = file.read_bytes(), sha256_key(file)
    notes = (tmp_path / "out" / ".bidsloom-export" / "files" / "sub-01.json").read_text()
    assert key in notes
    assert 0 == export(store, tmp_path / "out", zipped=True).copied
    file.unlink()
    assert 1 == export(store, tmp_path / "out", zipped=True).copied
    assert before == file.read_bytes()


def test_earlier_version_stays_the_exports_own(store, tmp_path):
    """A file whose new content is lost stays as it was, is missed, and goes when main drops it."""
    (store / "sub-01.zip").write_bytes(b"\0old")
    export(store, tmp_path / "out")
    (store / "sub-01.zip").unlink()
    (store / "sub-01.zip").write_bytes(b"\0newer")
    git("add", "-A", cwd=store)
    git("commit", "-q", "-m", "x", cwd=store)
    git("push", "-q", "store", "main", cwd=store)
    bare = store.with_name("store.git")
    output = OutputDataset("", bare, store_at(str(bare), name="x"))
    tree = git("rev-parse", "main^{tree}", cwd=bare)
    groups = {"sub-01": {0: list(outline(Part(output, tree, "", "")))}}
    contents = Contents("main", [Part(output, tree, "", "")], groups, [])
    with opened(tmp_path / "out", study="s", dataset="d") as destination:
        tally = export_to_folder(contents, destination, zipped=False, check_content=False)
    assert {"sub-01.zip": f"its content is not in {bare}"} == tally.missing
    assert ([], {"sub-01.zip": b"\0old"}) == (tally.foreign, there(tmp_path / "out"))
    git("rm", "-q", "sub-01.zip", cwd=store)
    (store / "rest").touch()
    assert 1 == export(store, tmp_path / "out").removed
    assert {"rest": b""} == there(tmp_path / "out")
