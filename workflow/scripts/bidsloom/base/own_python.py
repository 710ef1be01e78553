"""Start a script again with the environment's Python, where it was started with another one.

Imports nothing but the standard library, and runs with any Python 3: what it
looks for may be missing.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
OLDEST_PYTHON = (3, 11)
PACKAGES = ("yaml", "jsonschema", "psutil", "bids", "datalad", "snakemake")
# Set while a script is started again, so that it is not started for ever.
STARTED_AGAIN = "BIDSLOOM_STARTED_AGAIN"


def use_own_python(*, failure_code: int = 1) -> None:
    """Go on where this Python has what the script needs, else start the script with one that has.

    `make setup` puts that one into `.venv` of the repository.  Without it, the
    process ends with `failure_code` and an error message.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if sys.version_info >= OLDEST_PYTHON and not missing:
        os.environ.pop(STARTED_AGAIN, None)
        return
    python = REPOSITORY / ".venv" / "bin" / "python"
    if python.exists() and STARTED_AGAIN not in os.environ:
        os.environ[STARTED_AGAIN] = "yes"
        os.execv(str(python), [str(python), *sys.argv])
    version = ".".join(str(part) for part in sys.version_info[:2])
    lacks = "lacks " + ", ".join(missing) if missing else "is too old (3.11 or newer is needed)"
    print(
        f"bidsloom: this Python ({sys.executable}, version {version}) {lacks}.\n"
        "Hint: activate the environment in which bidsloom is installed, or make one: make setup, "
        f"in {REPOSITORY}.",
        file=sys.stderr,
    )
    sys.exit(failure_code)
