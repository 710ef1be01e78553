"""A credential helper of git that answers from `~/.netrc`.

    python3 netrc_credential.py get < what-git-asks

git itself reads that file for its own connections.  git-annex does not: it asks
git's credential helpers.
"""

import netrc
import sys
from pathlib import Path
from urllib.parse import urlsplit


def answer(asked: dict[str, str]) -> dict[str, str]:
    """User name and password for what git asks; empty where the file has no line for it."""
    host = urlsplit(f"//{asked.get('host', '')}").hostname
    try:
        # Named in full: Python alone would refuse a file that others can read; git does not.
        found = netrc.netrc(Path.home() / ".netrc").authenticators(host or "")
    except (OSError, RuntimeError, netrc.NetrcParseError):
        return {}
    if not found or not found[2] or asked.get("username", found[0]) != found[0]:
        return {}
    return {"username": found[0], "password": found[2]}


if __name__ == "__main__":
    # git may also ask to store or to erase.
    if sys.argv[1:] == ["get"]:
        given = (line.rstrip("\n").partition("=") for line in sys.stdin)
        asked = {name: value for name, _, value in given if name}
        for name, value in answer(asked).items():
            print(f"{name}={value}")
