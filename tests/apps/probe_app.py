"""A BIDS App for tests: small, real, and troublesome where it is told to be.

Its switches are files in the folder `--switches`, so that a test changes its
behaviour without changing its command line:

    fail-<label>   exit with the code written in it
    crash-<label>  leave a page with a figure, and crash files as nipype does; then exit with the
                   code written in it, or go on where that is 0
    wait           go on only when this file is gone
    hog-<label>    take as many MB of memory as are written in it, for some seconds
    slow-<label>   take as many seconds as are written in it
    silent         write nothing
    by-subject     name a session's page by its subject alone
    no-surfaces    write nothing to the folder of `--fs-subjects-dir`
    clash          every subject writes its own content to one file
    stamp          write the time into a file
    everything     list every file of the input that has content
    escape         try to write where no app should, and tell where that went well

It leaves a file `ran-<label>-<pid>` there each time it runs.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("bids_dir", type=Path)
parser.add_argument("output_dir", type=Path)
parser.add_argument("level")
parser.add_argument("--participant-label")
parser.add_argument("--session-label")
parser.add_argument("--switches", type=Path)
parser.add_argument("--note", default="")
parser.add_argument("--bids-filter-file", type=Path)
parser.add_argument("-w", "--work-dir", type=Path)
parser.add_argument("--mem-mb")
parser.add_argument("--n-cpus")
parser.add_argument("--license-file", type=Path)
parser.add_argument("--fs-subjects-dir", type=Path)
parser.add_argument("--derivatives", type=Path, nargs="+", default=[])
args = parser.parse_args()
if args.level == "group":
    (args.switches / f"ran-group-{os.getpid()}").touch()
    reports = sorted(args.output_dir.rglob("*_desc-probe.json"))
    lines = [f"{p.name}\t{len(json.loads(p.read_text())['files'])}" for p in reports]
    others = [p.name for p in args.output_dir.rglob("*_desc-probe.dat") if p.exists()]
    subjects = [p.name for p in sorted(args.bids_dir.glob("sub-*"))]
    (args.output_dir / "group_files.tsv").write_text("\n".join(["name\tfiles", *lines]) + "\n")
    (args.output_dir / "group_seen.dat").write_text(f"{subjects} {others} {args.note}")
    sys.exit()


def crash(code: int) -> None:
    """Leave what an app of many steps leaves when one of them crashes."""
    text = f"Node: probe_wf.sub_{label}_wf.anat_wf.skull_strip\nWorking directory: /tmp\n\n"
    text += f"Traceback:\n\tRuntimeError: <b id=evil>no brain</b> in sub-{label}\n\n"
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "crash-1.txt").write_text(text)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    (args.work_dir / "crash-2.txt").write_text(text.replace("skull_strip", "segment"))
    (folder / "figures").mkdir()
    square = '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>'
    (folder / "figures" / "a brain.svg").write_text(square)
    (args.output_dir / f"{unit}.html").write_text(
        f'<p>{unit} crashed</p><img src="./{unit}/figures/a%20brain.svg?1"><a href="/etc/passwd">'
    )
    if code:
        (args.output_dir / f"{unit}_<b id=evil>#1.html").write_text("odd")
        (args.output_dir / f"{unit}_out.html").symlink_to("/etc/passwd")
        os.mkfifo(args.output_dir / f"{unit}.log")
        sys.exit(code)


label = args.participant_label
unit = f"sub-{label}" + (f"_ses-{args.session_label}" if args.session_label else "")
folder = args.output_dir / unit.replace("_", "/", 1)

if args.switches:
    (args.switches / f"ran-{label}-{os.getpid()}").touch()
    while (args.switches / "wait").exists():
        time.sleep(0.05)
    if (args.switches / f"hog-{label}").exists():
        ballast = bytearray(int((args.switches / f"hog-{label}").read_text()) * 2**20)
        time.sleep(8)
        del ballast
    if (args.switches / f"slow-{label}").exists():
        time.sleep(float((args.switches / f"slow-{label}").read_text()))
    if (args.switches / f"fail-{label}").exists():
        print(f"no brain found in {unit}", flush=True)
        sys.exit(int((args.switches / f"fail-{label}").read_text()))
    if (args.switches / "silent").exists():
        sys.exit(0)
    if (args.switches / f"crash-{label}").exists():
        crash(int((args.switches / f"crash-{label}").read_text()))

source = args.bids_dir / unit.replace("_", "/", 1)
# A subject that is a dataset of its own has a git directory.
files = sorted(p for p in source.rglob("*") if p.is_file() and "/." not in str(p))
digests = {
    p.relative_to(args.bids_dir).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
    for p in files
}
folder.mkdir(parents=True, exist_ok=True)
variable = os.environ.get("PROBE_VARIABLE", "")
report = {"files": digests, "note": args.note, "variable": variable}
if args.switches and (args.switches / "everything").exists():
    seen = (p for p in args.bids_dir.rglob("*") if p.is_file() and ".git" not in p.parts)
    report["seen"] = sorted(p.relative_to(args.bids_dir).as_posix() for p in seen)
for further in args.derivatives:
    found = sorted(p.relative_to(further) for p in further.rglob("*") if p.is_file())
    # A clone in which a record is run again holds the other subjects too.
    found = [
        p
        for p in found
        if p.parts[0].startswith((f"sub-{label}", "fsaverage", "dataset_", "group_"))
    ]
    report[str(further)] = {str(p): (further / p).stat().st_size for p in found}
if args.fs_subjects_dir and not (args.switches and (args.switches / "no-surfaces").exists()):
    (args.fs_subjects_dir / unit / "surf").mkdir(parents=True, exist_ok=True)
    (args.fs_subjects_dir / unit / "surf" / "lh.white").write_bytes(f"{unit}\0".encode() * 50)
    (args.fs_subjects_dir / "logs").mkdir(exist_ok=True)
    (args.fs_subjects_dir / "logs" / "first.txt").write_text(unit)
if args.switches and (args.switches / "escape").exists():
    home = os.environ.get("HOME", "/root")
    places = [*files, args.bids_dir / "new", Path(".git/config"), Path("README.md")]
    report["escaped"] = []
    if args.fs_subjects_dir:
        places += [args.fs_subjects_dir / ".git" / name for name in ("config", "new")]
    for place in [*places, Path(home, "new"), Path(__file__), Path("/usr/new")]:
        try:
            with place.open("ab") as f:
                f.write(b"\n")
            report["escaped"].append(str(place))
        except OSError:
            pass
(folder / f"{unit}_desc-probe.json").write_text(json.dumps(report, indent=1))
(folder / f"{unit}_desc-probe.dat").write_bytes(b"".join(p.read_bytes() for p in files))
if args.switches and (args.switches / "bids-names").exists():
    (folder / f"{unit}_desc-probe_T1w.json").write_text("{}")
page = unit
if args.switches and (args.switches / "by-subject").exists():
    page = f"sub-{label}"
if not (args.output_dir / f"{page}.html").exists():
    (args.output_dir / f"{page}.html").write_text(f"<p>{unit}</p>")
(args.output_dir / "dataset_description.json").write_text('{"Name": "probe"}')
(args.output_dir / "logs").mkdir(exist_ok=True)
(args.output_dir / "logs" / "CITATION.md").write_text(f"first of all {unit}\n")
if args.work_dir:
    args.work_dir.mkdir(parents=True, exist_ok=True)
    (args.work_dir / "big").write_bytes(bytes(100 * 2**20))
if args.bids_filter_file:
    print("filter", json.dumps(json.loads(args.bids_filter_file.read_text())))
if args.license_file:
    same = args.license_file.samefile(os.environ["FS_LICENSE"])
    print(f"licence of {args.license_file.stat().st_size} bytes", same)
if "TEMPLATEFLOW_HOME" in os.environ:
    print("templates", sorted(p.name for p in Path(os.environ["TEMPLATEFLOW_HOME"]).iterdir()))
if args.switches and (args.switches / "stamp").exists():
    (folder / f"{unit}_time.txt").write_text(str(time.time_ns()))
if args.switches and (args.switches / "clash").exists():
    (args.output_dir / "atlas.dat").write_text(unit)
seen = sorted(p.name for p in args.bids_dir.iterdir() if p.name.startswith("sub-"))
print(f"{unit} sees {seen} on {os.environ.get('SLURMD_NODENAME')}", flush=True)
