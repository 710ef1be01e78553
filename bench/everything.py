"""Run every benchmark and write RESULTS.md (`make bench`).

    python bench/everything.py [--quick] [benchmark ...]

Each runs in a process of its own; with names, only those, and the others'
tables stay as they are.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from measure import PYTHON, REPOSITORY, machine_facts

RESULTS = REPOSITORY / "bench" / "RESULTS.md"
BENCHMARKS = (
    *("job", "bytes", "listing", "merge", "push", "slurm_job", "head", "many_units", "chain"),
    "status",
)
# Needs programs of its own: `make bench-peers`.
PEERS = "peers"


def run_benchmark(name: str, *, quick: bool) -> str:
    """The section of one benchmark; a failure is its content, the others go on."""
    script = Path("bench", f"{name}.py")
    command = [PYTHON, script, *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    date = datetime.now(UTC).date().isoformat()
    how = f"`{script}{' --quick' if quick else ''}`, {date}"
    text = done.stdout if done.returncode == 0 else f"failed:\n\n    {done.stderr[-1000:]}\n"
    return f"## {name}\n\n{how}\n\n{text.strip()}\n"


def read_sections(text: str) -> dict[str, str]:
    """Benchmark -> its section in an earlier file."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.split()[1]: part.strip() + "\n" for part in parts}


def write_results(sections: dict[str, str]) -> None:
    """RESULTS.md, in the order of the benchmarks."""
    head = (
        "# Results\n\n`make bench` makes these tables anew; `make bench-peers` those of peers.\n"
        "CPU seconds are user and system time of a process and of all its children.\n\n"
        f"The machine: {machine_facts()}.\n"
    )
    known = [sections[name] for name in (*BENCHMARKS, PEERS) if name in sections]
    RESULTS.write_text("\n".join([head, *known]))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller ones, in some minutes")
    parser.add_argument(
        "benchmarks", nargs="*", metavar="benchmark", help=", ".join((*BENCHMARKS, PEERS))
    )
    arguments = parser.parse_args()
    sections = read_sections(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in arguments.benchmarks or BENCHMARKS:
        sections[name] = run_benchmark(name, quick=arguments.quick)
        write_results(sections)
        print(sections[name], flush=True)


if __name__ == "__main__":
    main()
