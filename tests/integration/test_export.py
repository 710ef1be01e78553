"""Merged results as plain files: in a folder, in zip files, at a special remote."""

import hashlib
import json
import os
import shutil
import stat
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from bidsloom.base.errors import WorkflowFailure
from bidsloom.config import read_study
from bidsloom.config.study import Export
from bidsloom.datasets.annex import object_path
from bidsloom.handover.bids_prov import write_provenance
from bidsloom.handover.export import export_study
from bidsloom.records.export_outcome import read_export_outcome
from helpers.buckets import KEYS, serve_buckets
from helpers.prov_schema import SCHEMAS
from helpers.studies import git, make_workspace, run

NOTES = ".bidsloom-export"


@pytest.fixture(scope="module")
def made(tmp_path_factory, input_dataset):
    """A study with two output datasets: one subject failed, and somebody added links to main."""
    workspace = make_workspace(tmp_path_factory.mktemp("ex port") / "my study", input_dataset)
    surfaces = {"path": "sourcedata/surfaces", "repo": str(workspace.root / "surfaces.git")}
    workspace.config["container"]["outputs"] = ["probe", surfaces]
    workspace.config["container"]["bids_args"]["fs-subjects-dir"] = surfaces["path"]
    (workspace.switches / "fail-03").write_text("3")
    workspace.snakemake(check=False)
    clone = workspace.clone("added")
    links = {
        "probe/sub-01/again.dat": "sub-01_desc-probe.dat",
        "probe/sub-01/twice.dat": "again.dat",
        "probe/first": "sub-01",
        "probe/nowhere": "../../elsewhere",
        "probe/round": "../probe",
    }
    for path, target in links.items():
        (clone / path).symlink_to(target)
    (clone / "probe" / "run.sh").write_text("#!/bin/sh\n")
    (clone / "probe" / "run.sh").chmod(0o755)
    git("add", "-A", cwd=clone)
    git("commit", "-q", "-m", "more", cwd=clone)
    git("push", "-q", "origin", "HEAD:main", cwd=clone)
    git("annex", "copy", "-q", "--to", "origin", "probe/run.sh", cwd=clone)
    run("chmod", "-R", "u+w", clone, cwd="/")
    shutil.rmtree(clone)
    return workspace


def study_of(workspace, **export):
    study = read_study(workspace.config, base=workspace.root)
    return replace(study, export=Export(**export))


def listing(folder: Path) -> dict[str, bytes]:
    """Path -> content of each plain file; what is none fails."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if relative.partition("/")[0] == NOTES:
            continue
        mode = path.lstat().st_mode
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode), f"{relative} is a link"
        if stat.S_ISREG(mode):
            found[relative] = path.read_bytes()
    return found


def expected_files(workspace, name="expected") -> dict[str, bytes]:
    """What a clone with all content has, as a person who copies it by hand would get it."""
    clone = workspace.clone(name)
    git("annex", "get", "-q", ".", cwd=clone)
    git("-c", "protocol.file.allow=always", "submodule", "-q", "update", "--init",
        "sourcedata/surfaces", cwd=clone)  # fmt: skip
    git("annex", "get", "-q", ".", cwd=clone / "sourcedata" / "surfaces")
    found = {}
    for folder, folders, files in os.walk(clone, followlinks=False):
        folders[:] = [n for n in folders if not n.startswith(".git") and n != ".datalad"]
        for file in files:
            path = Path(folder, file)
            if not file.startswith(".git") and path.is_file():
                found[path.relative_to(clone).as_posix()] = path.read_bytes()
    for path, content in list(found.items()):
        if path.startswith("probe/sub-01/"):
            found[path.replace("probe/sub-01", "probe/first")] = content
    run("chmod", "-R", "u+w", clone, cwd="/")
    shutil.rmtree(clone)
    return found


def changed_at(folder: Path) -> dict[str, int]:
    """Path -> the file's inode: another one was written anew."""
    return {p: (folder / p).stat().st_ino for p in listing(folder)}


def test_folder(made, tmp_path):
    """All files as they are, and only what changed is written again; other files are left alone."""
    made.config["export"] = {"to": "hand over/plain"}
    done = made.snakemake("--cores", "1", "export")
    assert "not merged, so not in it: sub-03 (failed)" in done.stderr
    assert (
        "links that lead to no file of the dataset, not exported: probe/nowhere, probe/round"
        in (done.stderr)
    )
    del made.config["export"]
    folder = made.root / "hand over" / "plain"
    expected = expected_files(made)
    assert expected == listing(folder)
    assert {"README.md", "dataset_description.json", "sourcedata/surfaces/sub-01/surf/lh.white",
            "probe/sub-02.html", "probe/first/twice.dat"} < expected.keys()  # fmt: skip
    assert (folder / "probe" / "run.sh").stat().st_mode & 0o777 == 0o755
    study = study_of(made, to=folder)
    first = read_export_outcome(study)
    assert (len(expected), len(expected), True) == (first.files, first.copied, first.complete)

    # A second time nothing is written; what was changed there by hand is mended.
    before = changed_at(folder)
    again = export_study(study)
    assert (0, 0, True) == (again.copied, again.removed, again.complete)
    assert before == changed_at(folder)
    (folder / "probe" / "sub-01.html").unlink()
    (folder / "probe" / "sub-02.html").write_text("other")
    (folder / "CHANGES").write_text("by hand")
    mended = export_study(study)
    assert (2, ("CHANGES",)) == (mended.copied, mended.foreign)
    assert expected | {"CHANGES": b"by hand"} == listing(folder)

    # Damage that leaves the size as it was is found where content is read.
    page = folder / "probe" / "sub-02.html"
    page.write_bytes(bytes(len(page.read_bytes())))
    assert 0 == export_study(study).copied
    assert 1 == export_study(study_of(made, to=folder, check_content=True)).copied
    assert expected["probe/sub-02.html"] == page.read_bytes()

    # Patterns leave out, also what was exported before.
    fewer = export_study(study_of(made, to=folder, leave_out=("**/*.dat", "sourcedata")))
    assert {"CHANGES": b"by hand"} | {
        p: c for p, c in expected.items() if not p.startswith("sourcedata") and p[-4:] != ".dat"
    } == listing(folder)
    assert not (folder / "sourcedata").exists(), "an empty folder stays"
    assert 0 == fewer.copied


def test_interrupted_export_goes_on(made, tmp_path, monkeypatch):
    """A killed export leaves no file in part, is not called complete, and copies only the rest."""
    from bidsloom.handover import folder_export

    folder, written = tmp_path / "out", []
    write = folder_export.write_file

    def die(path, content, file):
        if len(written) == 8:
            path.write_bytes(b"half")
            raise KeyboardInterrupt
        written.append(file.path)
        return write(path, content, file)

    study = study_of(made, to=folder)
    with monkeypatch.context() as patched:
        patched.setattr(folder_export, "write_file", die)
        with pytest.raises(KeyboardInterrupt):
            export_study(study)
    expected = expected_files(made)
    assert set(written) == listing(folder).keys()
    owner = folder / NOTES / "export.json"
    assert not json.loads(owner.read_text())["complete"]
    outcome = export_study(study)
    assert len(expected) - 8 == outcome.copied
    assert expected == listing(folder)
    assert json.loads(owner.read_text())["complete"]


def test_lost_content_is_named_and_nothing_is_called_done(made, tmp_path):
    """Files whose content the store lacks, or holds damaged, are named; all others are there."""
    keys = git("ls-tree", "-r", "main", "probe/sub-01", "probe/sub-02", cwd=made.store)
    blobs = {line.split("\t")[1]: line.split()[2] for line in keys.splitlines()}
    objects = []
    for label in ("01", "02"):
        path = f"probe/sub-{label}/sub-{label}_desc-probe.dat"
        key = git("cat-file", "-p", blobs[path], cwd=made.store).rpartition("/")[2]
        objects.append(object_path(made.store, key))
    contents = [path.read_bytes() for path in objects]
    for path in objects:
        path.parent.chmod(0o755)
        path.chmod(0o644)
    objects[0].rename(f"{objects[0]}.away")
    objects[1].write_bytes(bytes(len(contents[1])))
    damaged = "probe/sub-02/sub-02_desc-probe.dat"
    study = study_of(made, to=tmp_path / "out")
    try:
        for export in (study, study_of(made, to=tmp_path / "zips", zipped=True)):
            with pytest.raises(WorkflowFailure, match=r"file\(s\) of the export to .* are missing"):
                export_study(export)
            outcome = read_export_outcome(study)
            assert not outcome.complete
            assert "its content is not what its checksum says" == outcome.missing[damaged]
            assert (
                f"its content is not in {made.store}"
                == (outcome.missing["probe/sub-01/sub-01_desc-probe.dat"])
            )
        assert ["dataset_description.json"] == [
            p.name for p in (tmp_path / "zips").glob("*") if p.suffix in (".zip", ".json")
        ]
    finally:
        Path(f"{objects[0]}.away").rename(objects[0])
        objects[1].write_bytes(contents[1])
    there = listing(tmp_path / "out")
    expected = expected_files(made)
    assert expected.keys() - outcome.missing.keys() >= there.keys() - {damaged}
    assert export_study(study).complete
    assert expected == listing(tmp_path / "out")


def test_zip_files(made, tmp_path):
    """A zip file a subject, always the same bytes; what is of no subject lies beside them."""
    study = study_of(made, to=tmp_path / "zips", zipped=True)
    export_study(study)
    expected = expected_files(made)
    there = {p.name: p.read_bytes() for p in (tmp_path / "zips").glob("sub-*")}
    assert ["sub-01.zip", "sub-02.zip"] == sorted(there)
    unpacked = tmp_path / "unpacked"
    shutil.copytree(tmp_path / "zips", unpacked, ignore=shutil.ignore_patterns("sub-*.zip", NOTES))
    for name in there:
        with zipfile.ZipFile(tmp_path / "zips" / name) as archive:
            assert archive.testzip() is None
            archive.extractall(unpacked)
    assert expected == listing(unpacked)
    assert 0 == export_study(study).copied
    export_study(replace(study, export=replace(study.export, to=tmp_path / "more")))
    assert there == {p.name: p.read_bytes() for p in (tmp_path / "more").glob("sub-*")}
    # The same folder in the other form holds nothing of the first.
    export_study(study_of(made, to=tmp_path / "zips"))
    assert expected == listing(tmp_path / "zips")


def test_one_output_is_a_dataset_of_its_own(made, tmp_path):
    """With export.output its content is the root, whichever dataset it lies in."""
    expected = expected_files(made)
    for output in ("probe", "sourcedata/surfaces"):
        folder = tmp_path / output
        export_study(study_of(made, to=folder, output=output))
        assert listing(folder) == {
            path.removeprefix(f"{output}/"): content
            for path, content in expected.items()
            if path.startswith(f"{output}/")
        }
    with pytest.raises(WorkflowFailure, match=r"name one of these: probe, sourcedata/surfaces\."):
        export_study(study_of(made, to=tmp_path / "x", output="prob"))


def test_special_remote(made, tmp_path):
    """`git annex export` brings all of it there, then what changed; what is lost there comes back."""
    folder = tmp_path / "re mote"
    remote = (("directory", str(folder)), ("type", "directory"))
    study = study_of(made, remote=remote)
    stores = (made.store, made.root / "surfaces.git")
    before = [git("for-each-ref", cwd=store) for store in stores]
    outcome = export_study(study)
    expected = expected_files(made)
    assert expected == listing(folder)
    assert (len(expected), len(expected), True) == (outcome.files, outcome.copied, outcome.complete)
    assert before == [git("for-each-ref", cwd=store) for store in stores], "the store was changed"
    inodes = changed_at(folder)
    assert 0 == export_study(study).copied
    assert inodes == changed_at(folder)

    fewer = study_of(made, remote=remote, leave_out=("**/*.html",))
    outcome = export_study(fewer)
    assert (0, 2) == (outcome.copied, outcome.removed)
    assert {p: c for p, c in expected.items() if not p.endswith(".html")} == listing(folder)
    lost = folder / "probe" / "sub-01" / "sub-01_desc-probe.json"
    lost.unlink()
    (folder / "probe" / "sub-02" / "sub-02_desc-probe.dat").unlink()
    export_study(replace(fewer, export=replace(fewer.export, check_content=True)))
    assert expected["probe/sub-01/sub-01_desc-probe.json"] == lost.read_bytes()
    assert expected.keys() - {"probe/sub-01.html", "probe/sub-02.html"} == listing(folder).keys()


def test_bucket(made, tmp_path, monkeypatch):
    """An S3 bucket has the same files, asked for after each export; what is lost there comes back."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    credentials = tmp_path / "credentials"
    credentials.write_text("".join(f"{name}={value}\n" for name, value in KEYS.items()))
    credentials.chmod(0o600)
    monkeypatch.setitem(made.config["datalad"], "credentials_file", str(credentials))
    with serve_buckets() as buckets:
        buckets.make("handed-over")
        about = buckets.parameters("handed-over", fileprefix="ds1/")
        study = study_of(made, remote=tuple(sorted(about.items())))
        outcome = export_study(study)
        expected = {f"ds1/{path}": content for path, content in expected_files(made).items()}
        assert expected == buckets.contents("handed-over")
        assert (len(expected), True) == (outcome.files, outcome.complete)
        assert 0 == export_study(study).copied

        lost = ("probe/sub-01/sub-01_desc-probe.json", "probe/sub-02/sub-02_desc-probe.dat")
        for path in lost:
            buckets.client.delete_object(Bucket="handed-over", Key=f"ds1/{path}")
        outcome = export_study(replace(study, export=replace(study.export, check_content=True)))
        assert outcome.complete
        assert expected == buckets.contents("handed-over")
    with pytest.raises(WorkflowFailure, match="are missing"):
        export_study(replace(study, export=replace(study.export, check_content=True)))


def test_folder_of_others_is_refused(made, tmp_path, input_dataset):
    """Nothing is written into a folder that holds something else, or another study's export."""
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    settings = (("directory", str(other)), ("type", "directory"))
    for export in ({"to": other}, {"remote": settings}):
        with pytest.raises(WorkflowFailure, match="is not empty"):
            export_study(study_of(made, **export))
    assert [other / "thesis.txt"] == list(other.iterdir())
    foreign = tmp_path / "foreign"
    export_study(study_of(made, to=foreign))
    owner = foreign / NOTES / "export.json"
    owner.write_text(json.dumps({"study": "theirs", "dataset": "1-2-3"}))
    with pytest.raises(WorkflowFailure, match="holds an export of another study, theirs"):
        export_study(study_of(made, to=foreign))
    with pytest.raises(WorkflowFailure, match=r"set export\.to to a new folder"):
        export_study(study_of(made))


def test_provenance(made, tmp_path):
    """Each merged unit's run as BIDS-Prov, from its record alone: the same bytes every time."""
    made.config["report"] = {"prov": True}
    made.snakemake("--cores", "1", "report")
    del made.config["report"]
    study = study_of(made)
    folder = study.files.provenance
    first = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
    names = [f"prov-sub0{n}/prov-sub0{n}_{s}.json" for n in (1, 2) for s in SCHEMAS]
    assert sorted([*names, "provenance.json", "provenance.tsv"]) == sorted(first)
    table = first["provenance.tsv"].decode().splitlines()
    assert ["provenance_label", "prov-sub01", "prov-sub02"] == [ln.split("\t")[0] for ln in table]
    contents = {name: json.loads(first[name]) for name in names}
    for name, content in contents.items():
        jsonschema.validate(content, SCHEMAS[name.rpartition("_")[2].removesuffix(".json")])
    (act,) = contents["prov-sub01/prov-sub01_act.json"]["Activities"]
    entities = {e["Id"]: e for e in contents["prov-sub01/prov-sub01_ent.json"]["ProvEntities"]}
    # All that an activity names is described.
    described = {*entities}
    for suffix, kind in (("env", "Environments"), ("soft", "Software")):
        described |= {o["Id"] for o in contents[f"prov-sub01/prov-sub01_{suffix}.json"][kind]}
    assert described >= {*act["Used"], *act["AssociatedWith"]}
    assert "--participant-label 01" in act["Command"]
    assert entities["bids::sourcedata/raw"]["Digest"] == {
        "git-commit": git("rev-parse", "HEAD", cwd=made.config["datalad"]["input_repo"])
    }
    # What the run wrote, in each dataset of the output, with its checksums.
    made_by = {e["AtLocation"]: e for e in entities.values() if e.get("GeneratedBy") == act["Id"]}
    commit = made.record("sub-01")["commit"]
    written = git("diff-tree", "-r", "--name-only", f"{commit}^", commit, cwd=made.store)
    surfaces = {"sourcedata/surfaces/sub-01/surf/lh.white", "sourcedata/surfaces/logs/first.txt"}
    assert {*written.splitlines(), *surfaces} - {"sourcedata/surfaces"} == made_by.keys()
    data = made_by["probe/sub-01/sub-01_desc-probe.dat"]
    content = expected_files(made)["probe/sub-01/sub-01_desc-probe.dat"]
    assert {"MD5": hashlib.md5(content).hexdigest()} == data["Digest"]

    for path in (folder, study.files.provenance_index):
        run("rm", "-r", path, cwd="/")
    write_provenance(study)
    assert first == {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def test_removed_subject_goes(made, tmp_path):
    """Files of a subject that main no longer has are removed, and no others; this comes last."""
    folders = {"folder": tmp_path / "plain", "zip": tmp_path / "zips"}
    remote = (("directory", str(tmp_path / "remote")), ("type", "directory"))
    exports = [
        study_of(made, to=folders["folder"]),
        study_of(made, to=folders["zip"], zipped=True),
        study_of(made, remote=remote),
    ]
    for study in exports:
        export_study(study)
    clone = made.clone("without")
    for path in ("probe/sub-02", "probe/sub-02.html"):
        git("rm", "-q", "-r", path, cwd=clone)
    git("commit", "-q", "-m", "withdrawn", cwd=clone)
    git("push", "-q", "origin", "HEAD:main", cwd=clone)
    expected = expected_files(made)
    for study in exports:
        export_study(study)
    assert not [path for path in expected if path.startswith("probe/sub-02")]
    assert expected == listing(folders["folder"])
    assert expected == listing(tmp_path / "remote")
    with zipfile.ZipFile(folders["zip"] / "sub-02.zip") as archive:
        assert ["sourcedata/surfaces/sub-02/surf/lh.white"] == archive.namelist()
