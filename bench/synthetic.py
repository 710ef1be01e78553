"""Synthetic datasets and stores of any size, made by `git fast-import` in seconds.

Written in a stream: what measures memory starts its processes from this one,
and the kernel counts a parent's peak as its child's.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import struct
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

COMMITTER = "committer Bench <bench@example.org> 1700000000 +0000"
INPUT_UUID = "5f1d1ab2-6e1c-4a5e-9d57-000000000001"
SUBJECTS_PER_PART = 250
# Of every annexed file that a job branch adds, in bytes.
CONTENT_SIZE = 20
LINKS_PER_FILE = 50_000
# A job pushes so many objects one by one, and more as a pack.
LOOSE_OBJECTS = 100
SUFFIXES = ("T1w", "T2w", "FLAIR", "T2star", "PDw", "inplaneT1")


def make_dataset(
    root: Path,
    subjects: int,
    *,
    files: int = 2,
    sidecars: bool = False,
    content: int = 0,
    content_size: int = 1_000_000,
) -> Path:
    """A git-annex repository of BIDS shape, each image known to lie in it.

    `files` a subject: annexed images, or with `sidecars` every second one a
    JSON file in git.  Only the first `content` subjects' images are really
    there, `content_size` bytes in all for each subject.
    """
    root.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=root)
    git("config", "annex.uuid", INPUT_UUID, cwd=root)
    keys: list[str] = []
    fast_import(
        dataset_commands(root, subjects, files, sidecars, content, content_size, keys), cwd=root
    )
    join_trees(root)
    fast_import(location_commands(keys), cwd=root)
    git("annex", "init", "-q", "synthetic", cwd=root)
    return root


def make_superdataset(root: Path, subjects: int) -> Path:
    """A dataset in which each subject is a subdataset that nobody can reach."""
    root.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=root)
    names = [f"sub-{n:05}" for n in range(1, subjects + 1)]
    modules = "".join(
        f'[submodule "{name}"]\n\tpath = {name}\n\turl = ../nowhere/{name}\n' for name in names
    )
    files = {
        "dataset_description.json": '{"Name": "synthetic", "BIDSVersion": "1.10.0"}',
        ".gitmodules": modules,
    }
    blobs = (
        f"100644 blob {git('hash-object', '-w', '--stdin', cwd=root, stdin=text)}\t{name}"
        for name, text in files.items()
    )
    links = (f"160000 commit {hashlib.sha1(name.encode()).hexdigest()}\t{name}" for name in names)
    entries = "\n".join([*blobs, *links]) + "\n"
    tree = git("mktree", "--missing", cwd=root, stdin=entries)
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "data", cwd=root), cwd=root)
    return root


def join_trees(root: Path) -> None:
    """Make main of all refs/part/*: what each has in its root."""
    parts = git("for-each-ref", "--format=%(refname)", "refs/part", cwd=root).splitlines()
    entries = "".join(git("ls-tree", part, cwd=root) + "\n" for part in parts)
    tree = git("mktree", cwd=root, stdin=entries)
    git("update-ref", "refs/heads/main", git("commit-tree", tree, "-m", "data", cwd=root), cwd=root)
    git("update-ref", "--stdin", cwd=root, stdin="".join(f"delete {part}\n" for part in parts))


def dataset_commands(
    root: Path,
    subjects: int,
    files: int,
    sidecars: bool,
    content: int,
    content_size: int,
    keys: list[str],
) -> Iterator[str]:
    """The tree of main in parts; appends the images' keys and writes their content.

    In parts because fast-import looks through a folder from its first entry.
    """
    images = files // 2 if sidecars else files
    description = '{"Name": "synthetic", "BIDSVersion": "1.10.0"}'
    yield f"commit refs/part/0\n{COMMITTER}\ndata 0\n\n"
    yield file_command("100644", "dataset_description.json", description)
    for n in range(1, subjects + 1):
        if n % SUBJECTS_PER_PART == 1:
            yield f"commit refs/part/{n}\n{COMMITTER}\ndata 0\n\n"
        subject = f"sub-{n:05}"
        for image in range(images):
            run, suffix = divmod(image, len(SUFFIXES))
            stem = f"{subject}/anat/{subject}_run-{run + 1}_{SUFFIXES[suffix]}"
            key = image_key(root, stem, content_size // images, there=n <= content)
            keys.append(key)
            target = f"../../.git/annex/objects/{mixed_folder(key)}/{key}/{key}"
            yield file_command("120000", f"{stem}.nii.gz", target)
            if sidecars:
                yield file_command("100644", f"{stem}.json", f'{{"EchoTime": 0.00{n}}}')


def image_key(root: Path, stem: str, size: int, *, there: bool) -> str:
    """The key of an image; its content is laid into the annex where it shall be there."""
    if not there:
        return f"MD5E-s{size}--{hashlib.md5(stem.encode()).hexdigest()}.nii.gz"
    line = f"{stem}\n".encode()
    content = (line * (size // len(line) + 1))[:size]
    key = f"MD5E-s{size}--{hashlib.md5(content).hexdigest()}.nii.gz"
    lay_content(root / ".git" / "annex" / "objects" / mixed_folder(key), key, content)
    return key


def location_commands(keys: Iterable[str]) -> Iterator[str]:
    """The branch git-annex: every key is said to lie in this repository."""
    yield f"commit refs/heads/git-annex\n{COMMITTER}\ndata 9\nlocations\n"
    yield file_command("100644", "uuid.log", f"{INPUT_UUID} synthetic timestamp=1700000000s\n")
    for key in keys:
        path = f"{lower_folder(key)}/{key}.log"
        yield file_command("100644", path, f"1700000000s 1 {INPUT_UUID}\n")


def make_job_branches(
    store: Path,
    *,
    base: str,
    app: str,
    units: Iterable[str],
    plain: int = 4,
    annexed: int = 2,
    expects: str = "",
) -> None:
    """Job branches in a bare store: for each unit, files in git and annexed ones with content.

    As jobs push them: a unit of many files has a pack of its own.  `expects` is
    the digest of the study's definition of a complete result.
    """
    contents = linked_contents(store / "annex" / "content")
    branches = (
        branch_commands(store, base, app, unit, plain, annexed, contents, expects) for unit in units
    )
    if plain + annexed <= LOOSE_OBJECTS:
        fast_import(itertools.chain.from_iterable(branches), cwd=store)
        return
    # Aside, since git looks at every pack there is before it makes a further one.
    making, made = store.with_name("making.git"), store.with_name("made")
    made.mkdir()
    git("init", "-q", "--bare", str(making), cwd=store)
    (making / "objects" / "info" / "alternates").write_text(f"{store / 'objects'}\n")
    for commands in branches:
        fast_import(commands, cwd=making)
        for part in (making / "objects" / "pack").iterdir():
            part.rename(made / part.name)
    for part in made.iterdir():
        part.rename(store / "objects" / "pack" / part.name)
    made.rmdir()
    refs = git("for-each-ref", "--format=create %(refname) %(objectname)", cwd=making)
    git("update-ref", "--stdin", cwd=store, stdin=f"{refs}\n")
    shutil.rmtree(making)


def branch_commands(
    store: Path,
    base: str,
    app: str,
    unit: str,
    plain: int,
    annexed: int,
    contents: Iterator[Path],
    expects: str,
) -> Iterator[str]:
    """One commit with a run record."""
    message = run_record(app, unit, expects)
    yield f"commit refs/heads/job/{app}/{unit}\n{COMMITTER}\n"
    yield f"data {len(message)}\n{message}\nfrom {base}\n"
    for n in range(plain):
        # Every fourth is too long for a pointer to annexed content.
        text = json.dumps({"of": unit, "n": n, "note": "x" * (2000 if n % 4 == 3 else 200)})
        yield file_command("100644", output_path(app, unit, f"{n}.json"), text)
    for n in range(annexed):
        key = f"MD5E-s{CONTENT_SIZE}--{hashlib.md5(f'{unit} {n}'.encode()).hexdigest()}.nii.gz"
        folder = store / "annex" / "objects" / lower_folder(key) / key
        folder.mkdir(parents=True)
        # A hard link takes no space.
        (folder / key).hardlink_to(next(contents))
        target = f"../../.git/annex/objects/{mixed_folder(key)}/{key}/{key}"
        yield file_command("120000", output_path(app, unit, f"{n}.nii.gz"), target)
    yield file_command("100644", f"{app}/{unit}.html", f"<p>{unit}</p>")
    yield file_command("100644", f"{app}/dataset_description.json", "{}")


def output_path(app: str, unit: str, name: str) -> str:
    """Where the app writes a file: a few folders for each unit."""
    folder = ("anat", "figures", "func", "log")[sum(name.encode()) % 4]
    return f"{app}/{unit}/{folder}/{unit}_{name}"


def linked_contents(file: Path) -> Iterator[Path]:
    """A file that stands for the content of every key; file systems bound the number of links."""
    for n in itertools.count():
        current = file.with_name(f"{file.name}-{n}")
        current.write_bytes(b"v" * CONTENT_SIZE)
        yield from itertools.repeat(current, LINKS_PER_FILE)


def run_record(app: str, unit: str, expects: str) -> str:
    """A commit message as `datalad containers-run` and a job write it."""
    record = {
        "chain": [],
        "cmd": f"sh .datalad/environments/{app}/image sourcedata/raw {app} participant {unit}",
        "dsid": INPUT_UUID,
        "exit": 0,
        "extra_inputs": [f".datalad/environments/{app}/image"],
        "inputs": [f"sourcedata/raw/{unit}", "sourcedata/raw/dataset_description.json"],
        "outputs": [f"{app}/{unit}"],
        "pwd": ".",
    }
    text = json.dumps(record, indent=1)
    return (
        f"[DATALAD RUNCMD] {app} {unit}\n\n=== Do not change lines below ===\n{text}\n"
        "^^^ Do not change lines above ^^^\n\n"
        f"Bidsloom-Unit: {unit}\nBidsloom-Fingerprint: command=0 image=0 input={unit}\n"
        + (f"Bidsloom-Expects: {expects}\n" if expects else "")
    )


def lay_content(folder: Path, key: str, content: bytes) -> None:
    """Write the object of a key, as git-annex keeps it."""
    (folder / key).mkdir(parents=True, exist_ok=True)
    (folder / key / key).write_bytes(content)


def lower_folder(key: str) -> str:
    """Folder of a key in bare repositories and in location logs ("hashdirlower")."""
    digest = hashlib.md5(key.encode()).hexdigest()
    return f"{digest[:3]}/{digest[3:6]}"


def mixed_folder(key: str) -> str:
    """Folder of a key in repositories with a work tree ("hashdirmixed")."""
    (word,) = struct.unpack("<I", hashlib.md5(key.encode()).digest()[:4])
    a, b, c, d = ("0123456789zqjxkmvwgpfZQJXKMVWGPF"[word >> 6 * n & 31] for n in range(4))
    return f"{b}{a}/{d}{c}"


def file_command(mode: str, path: str, content: str) -> str:
    """A file, in fast-import's language."""
    return f"M {mode} inline {path}\ndata {len(content.encode())}\n{content}\n"


def fast_import(commands: Iterable[str], *, cwd: Path) -> None:
    """Feed commands to `git fast-import`."""
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--force"], cwd=cwd, stdin=subprocess.PIPE, text=True
    ) as process:
        for command in commands:
            process.stdin.write(command)
        process.stdin.close()
        if process.wait():
            raise RuntimeError("git fast-import failed")


def git(*args: str, cwd: Path, stdin: str = "") -> str:
    """Output of a git command."""
    done = subprocess.run(
        ["git", *args], cwd=cwd, check=True, capture_output=True, text=True, input=stdin
    )
    return done.stdout.strip()
