"""A BIDS App for tests whose results are odd, in the ways that a file names.

`--switches DIR` holds files `mode-<label>`, each with words that say what the
app does for that subject; without one it writes three ordinary files.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("bids_dir", type=Path)
parser.add_argument("output_dir", type=Path)
parser.add_argument("level")
parser.add_argument("--participant-label")
parser.add_argument("--switches", type=Path)
args = parser.parse_args()

label = args.participant_label
mode_file = args.switches / f"mode-{label}"
modes = mode_file.read_text().split() if mode_file.exists() else []
folder = args.output_dir / f"sub-{label}"
(folder / "log").mkdir(parents=True, exist_ok=True)
(args.switches / f"ran-{label}-{os.getpid()}").touch()


def write_ignored() -> None:
    """Files that ignore rules name, the app's own among them."""
    (folder / ".gitignore").write_text("*\n")
    (folder / "ignored.dat").write_text("ignored")
    (folder / ".pytest_cache").mkdir()
    (folder / ".pytest_cache" / ".gitignore").write_text("*\n")
    (folder / ".pytest_cache" / "kept").write_text("kept")


def write_repository() -> None:
    """A git repository with a commit."""
    nested = folder / "repository"
    nested.mkdir()
    (nested / "inner.txt").write_text("inner")
    identity = ["-c", "user.name=app", "-c", "user.email=app@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "inner"]):
        subprocess.run(["git", *command], cwd=nested, check=True)


def write_links() -> None:
    """Links: absolute to an own file, relative, to nothing, and a copied annex link."""
    (folder / "absolute").symlink_to((folder / "scan.nii.gz").resolve())
    (folder / "relative").symlink_to("scan.nii.gz")
    (folder / "dangling").symlink_to("not-there")
    image = args.bids_dir / f"sub-{label}" / "anat" / f"sub-{label}_T1w.nii.gz"
    subprocess.run(["cp", "-a", str(image), str(folder / "copied.nii.gz")], check=True)


def write_names() -> None:
    """Names and contents that git or git-annex may take for something else."""
    (folder / "-dash").write_text("dash")
    (folder / "new\nline.txt").write_text("line")
    (folder / "lookalike.txt").write_text(
        "/annex/objects/MD5E-s5--0123456789abcdef0123456789abcdef.txt\n"
    )
    (folder / ".gitattributes").write_text("* text eol=crlf\n*.nii.gz annex.largefiles=nothing\n")
    (folder / "lines.txt").write_bytes(b"a\r\nb\r\n")


def write_closed() -> None:
    """A folder that its owner cannot write to, with a file that nobody can read."""
    closed = folder / "closed"
    closed.mkdir()
    (closed / "data.dat").write_bytes(b"closed" * 100)
    (closed / "data.dat").chmod(0o000)
    closed.chmod(0o555)


ODD = {
    "ignored": write_ignored,
    "repository": write_repository,
    "links": write_links,
    "names": write_names,
    "closed": write_closed,
    "fifo": lambda: os.mkfifo(folder / "fifo"),
    "foreign": lambda: shutil.copytree(folder, args.output_dir / "sub-99" / "of-another"),
    "foreign-file": lambda: (args.output_dir / "sub-99.html").write_text("of another"),
    "escape": lambda: (folder / "escape").symlink_to("/etc/hostname"),
    "latin": lambda: Path(os.fsdecode(bytes(folder) + b"/caf\xe9.txt")).write_text("latin-1"),
    "crash": lambda: (folder / "log" / "crash-20261125-node.txt").write_text("ValueError: boom"),
}

(args.output_dir / f"sub-{label}.html").write_text("<h1>Report</h1> Errors: 1")
(folder / "scan.nii.gz").write_bytes(f"voxels of {label}".encode() * 20)
if "half" not in modes:
    (folder / "confounds.tsv").write_text("x\n1\n")
for mode in modes:
    if mode in ODD:
        ODD[mode]()
print("finished")
sys.exit(1 if "exit" in modes else 0)
