"""Synthetic BIDS datasets of any size, made by `git fast-import` in seconds."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path


def make_dataset(root: Path, subjects: int, *, files: int = 2) -> Path:
    """A repository whose subjects have links to annexed images that nobody has."""
    root.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=root, check=True)
    description = '{"Name": "synthetic", "BIDSVersion": "1.10.0"}'
    parts = [
        "commit refs/heads/main\ncommitter Bench <bench@example.org> 0 +0000\ndata 9\nsynthetic\n",
        file_command("100644", "dataset_description.json", description),
    ]
    for n in range(1, subjects + 1):
        subject = f"sub-{n:05}"
        for run in range(1, files + 1):
            name = f"{subject}_run-{run}_T1w.nii.gz"
            digest = hashlib.md5(name.encode()).hexdigest()
            key = f"MD5E-s1000000--{digest}.nii.gz"
            target = f"../../.git/annex/objects/{digest[:2]}/{digest[2:4]}/{key}/{key}"
            parts.append(file_command("120000", f"{subject}/anat/{name}", target))
    subprocess.run(
        ["git", "fast-import", "--quiet"], input="".join(parts).encode(), cwd=root, check=True
    )
    return root


def file_command(mode: str, path: str, content: str) -> str:
    """A file, in fast-import's language."""
    return f"M {mode} inline {path}\ndata {len(content.encode())}\n{content}\n"
