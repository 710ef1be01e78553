"""Pack each new folder of some output folders into one archive, the same bytes every time.

    python3 pack_outputs.py fmriprep freesurfer

With `container.archive` this file is kept as `code/pack_outputs.py` in the
output dataset, and is part of each recorded command; it needs Python 3.9 and
git, nothing else.  The archive of `fmriprep/sub-01/` is `fmriprep/sub-01.zip`.

Entries are sorted, carry no time and no owner, and are not compressed: what an
app writes is mostly compressed already, and other versions of zlib would give
other bytes.
"""

import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

# The earliest time that an archive can name.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def pack(folder: Path, archive: Path) -> None:
    """Write a folder's content as an archive; links are kept as links."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                zipped.writestr(entry(name, stat.S_IFLNK | 0o777), str(path.readlink()))
            elif stat.S_ISDIR(mode):
                zipped.writestr(entry(f"{name}/", stat.S_IFDIR | 0o755), "")
            elif stat.S_ISREG(mode):
                info = entry(name, stat.S_IFREG | (0o755 if mode & 0o100 else 0o644))
                # Decides whether sizes take 32 or 64 bits.
                info.file_size = path.stat().st_size
                with path.open("rb") as source, zipped.open(info, "w") as target:
                    shutil.copyfileobj(source, target, 2**20)


def entry(name: str, mode: int) -> zipfile.ZipInfo:
    """The description of an entry, by its name and mode alone."""
    info = zipfile.ZipInfo(name, NO_TIME)
    info.create_system = 3  # Unix, whatever this is
    info.external_attr = mode << 16
    return info


def new_folders(output: Path) -> list[Path]:
    """Folders in an output folder that git does not know."""
    found = []
    for path in sorted(output.iterdir()) if output.is_dir() else ():
        if path.is_dir() and not path.is_symlink() and path.name != ".git":
            known = subprocess.run(
                ["git", "ls-files", "-z", "--", path.name],
                cwd=output,
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
            if not known and any(path.iterdir()):
                found.append(path)
    return found


if __name__ == "__main__":
    for output in map(Path, sys.argv[1:]):
        for folder in new_folders(output):
            pack(folder, folder.with_name(f"{folder.name}.zip"))
            shutil.rmtree(folder)
