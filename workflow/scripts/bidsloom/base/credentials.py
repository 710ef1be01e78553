"""Credentials in URLs: taken out of every text, and handed to git by its credential mechanism.

The rest of the program knows only public URLs.  git, and git-annex through git,
ask a helper for the user name and the password; it reads them from variables of
the environment, so that neither stands on a command line or in a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from urllib.parse import unquote

USER, PASSWORD = "BIDSLOOM_USER_", "BIDSLOOM_PASSWORD_"
# The variable with the names of others that hold credentials.
VARIABLES = "BIDSLOOM_CREDENTIAL_VARIABLES"
# What these schemes have before the host is a credential; ssh needs the name of the user.
_WEB = r"\b((?:[A-Za-z][\w+.-]*\+)?(?:https?|ftps?)://)"
_WEB_URL = re.compile(_WEB + "([^/]*)@", re.IGNORECASE)
_OTHER_URL = re.compile(r"\b([A-Za-z][\w+.-]*://[^/:@]*):[^/]*@")
# The same within a text, where a blank ends a URL.
_WEB_TEXT = re.compile(_WEB + r"[^\s/]+@", re.IGNORECASE)
_OTHER_TEXT = re.compile(r"\b([A-Za-z][\w+.-]*://[^\s/:@]*):[^\s/]*@")
# $1 is what git wants: it may also ask to store or to erase.
_HELPER = (
    '!f() {{ test "$1" != get || printf "username=%s\\npassword=%s\\n" '
    '"${user}" "${password}"; }}; f'
)


@dataclass(frozen=True)
class Credential:
    """What a URL contained besides the public URL; an empty password is asked for elsewhere."""

    url: str
    user: str = field(repr=False)
    password: str = field(repr=False)


def public_url(url: str) -> str:
    """A URL without user name, password or token; of an ssh URL the user name stays."""
    if match := _WEB_URL.match(url):
        return match[1] + url[match.end() :]
    match = _OTHER_URL.match(url)
    return f"{match[1]}@{url[match.end() :]}" if match else url


def hide_credentials(text: str) -> str:
    """A text whose URLs are public ones."""
    return _OTHER_TEXT.sub(r"\1@", _WEB_TEXT.sub(r"\1", text)) if "@" in text else text


def credential_of(url: str) -> Credential | None:
    """The user name and the password in a URL; None for a URL without them."""
    match = _WEB_URL.match(url)
    if match is None or "\n" in url:
        return None
    user, _, password = match[2].partition(":")
    # A RIA URL (`ria+http://...#id`) names a folder on the server, and a dataset after `#`.
    address = public_url(url)
    if match[1].lower().startswith("ria+"):
        address = address[len("ria+") :].partition("#")[0]
    return Credential(address, unquote(user), unquote(password))


def use_credentials(
    environment: MutableMapping[str, str], credentials: Iterable[Credential]
) -> None:
    """Let every git that is started in an environment use some credentials.

    Doing it again changes nothing.
    """
    try:
        count = int(environment.get("GIT_CONFIG_COUNT") or 0)
    except ValueError:
        count = 0
    present = {
        (environment.get(f"GIT_CONFIG_KEY_{n}"), environment.get(f"GIT_CONFIG_VALUE_{n}"))
        for n in range(count)
    }
    for credential in credentials:
        number = hashlib.sha256(credential.url.encode()).hexdigest()[:12]
        helper = _HELPER.format(user=USER + number, password=PASSWORD + number)
        name = f"credential.{credential.url}"
        settings = [(f"{name}.username", credential.user)]
        if credential.password:
            # The empty helper removes those of the account, which may know another password.
            settings = [(f"{name}.helper", ""), (f"{name}.helper", helper)]
            environment[USER + number] = credential.user
            environment[PASSWORD + number] = credential.password
        if set(settings) <= present:
            continue
        for setting, value in settings:
            environment[f"GIT_CONFIG_KEY_{count}"] = setting
            environment[f"GIT_CONFIG_VALUE_{count}"] = value
            count += 1
        environment["GIT_CONFIG_COUNT"] = str(count)


def use_variables(environment: MutableMapping[str, str], variables: Mapping[str, str]) -> None:
    """Set variables that hold credentials; `without_credentials` removes them."""
    environment.update(variables)
    known = environment.get(VARIABLES, "").split()
    environment[VARIABLES] = " ".join(sorted({*known, *variables}))


@contextlib.contextmanager
def without_credentials(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Remove the credentials from an environment for the time of a block: no app needs them."""
    own = environment.get(VARIABLES, "").split()
    names = [n for n in environment if n.startswith((USER, PASSWORD)) or n in own]
    held = {name: environment[name] for name in names}
    for name in held:
        del environment[name]
    try:
        yield
    finally:
        environment.update(held)


def access_hint(url: str, said: str) -> str | None:
    """How to get access where a server asked for a credential, or is not trusted."""
    untrusted = (
        r"certificate verification failed|certificate verify failed|SSL certificate problem"
        r"|CertificateUnknown|UnknownCa|certificate has unknown CA"
    )
    if re.search(untrusted, said):
        return (
            "the server's certificate is of an authority that this machine does not know. Ask "
            "for its file, and name it: git config --global http.sslCAInfo /path/of/authority.pem "
            "(or set GIT_SSL_CAINFO); git and git-annex read both."
        )
    asked = (
        r"could not read (Username|Password)|terminal prompts disabled|Authentication failed"
        r"|error: 40[13]\b|Unauthorized|HTTP (Error )?40[13]\b|Permission denied \(publickey"
    )
    if not re.search(asked, said):
        return None
    if "Permission denied (publickey" in said:
        return f"the server wants an ssh key: load yours (ssh-add), then try: git ls-remote '{url}'"
    return (
        "the server asks for a user name and a password or token. Let git keep them: git config "
        "--global credential.helper store, then once: git ls-remote "
        f"'{url}' (it asks, and writes them to ~/.git-credentials); or add a line for the host to "
        "~/.netrc (mode 600)."
    )
