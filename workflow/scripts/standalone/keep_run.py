"""Run a command of a study, and keep what it printed and how it ended.

keep_run.py FOLDER COMMAND...

In FOLDER, `output.log` gets all that the command prints, and `ended.json` its
exit code and the time.  It is a process of its own, so that the command goes on
when the page that started it, or the terminal, has ended; SIGINT and SIGTERM
are for the command, which this program waits for.
"""

import json
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path


def main(folder: Path, command: list[str]) -> int:
    """Run the command; returns its exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A handler, not SIG_IGN: the command would inherit that one.
        signal.signal(number, lambda *_: None)
    with (folder / "output.log").open("ab") as output:
        try:
            code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
        except OSError as e:
            output.write(f"{command[0]} cannot be started: {e}\n".encode())
            code = 127
    ended = {"exit_code": code, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    new = folder / ".ended.json.new"
    new.write_text(json.dumps(ended))
    new.replace(folder / "ended.json")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
