"""Send a message to addresses that apprise knows, or see whether it knows them.

Reads JSON on standard input (`urls`; `title` and `body`, or none to send
nothing) and prints a JSON list: for each address whether it went well.  The
addresses are secrets: they stand on no command line, and nothing that apprise
says is passed on.
"""

import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait

import apprise

# A server that is dead or slow is not waited for.
SECONDS = 20


def send(url: str, message: dict) -> bool:
    """Whether apprise knows an address, and the message, if there is one, was taken."""
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is None or not message:
        return service is not None
    return bool(service.notify(**message))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)
    urls = asked.pop("urls")
    pool = ThreadPoolExecutor(max_workers=len(urls))
    sent = [pool.submit(send, url, asked) for url in urls]
    wait(sent, timeout=SECONDS)
    went_well = [one.done() and not one.exception() and one.result() for one in sent]
    print(json.dumps(went_well), flush=True)
    # Not sys.exit, which would wait for threads that wait for a server.
    os._exit(0)
