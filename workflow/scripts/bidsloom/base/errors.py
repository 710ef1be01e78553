"""What can go wrong, in words for the person at the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from .credentials import hide_credentials


class FailureClass(StrEnum):
    """Why an attempt at a unit ended without a result."""

    APP_ERROR = "app_error"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    NODE_FAILURE = "node_failure"
    CANCELLED = "cancelled"
    INPUT_UNAVAILABLE = "input_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    NO_SPACE = "no_space"
    BAD_CONFIG = "bad_config"
    # The app ended, and not all that is expected is there.
    INCOMPLETE = "incomplete"
    # What it reads is a result of another study that is not there.
    WAITS = "waits"


class WorkflowFailure(Exception):
    """A failure that the user can do something about.

    `message` says what happened, to which unit and file, and what was
    expected; `hint` says what to type or change next.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        failure_class: FailureClass = FailureClass.BAD_CONFIG,
        exit_code: int | None = None,
    ) -> None:
        # What git or a config says may contain a URL with a password.
        message, hint = hide_credentials(message), hide_credentials(hint)
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.failure_class = failure_class
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


class CommandError(Exception):
    """A program ended with a non-zero exit code.

    Caught only to add meaning; what reaches the user is a `WorkflowFailure`.
    """

    def __init__(
        self, cmd: list[str], cwd: str, exit_code: int, stderr: str, stdout: str = ""
    ) -> None:
        cmd, stderr = [hide_credentials(word) for word in cmd], hide_credentials(stderr)
        super().__init__(cmd, cwd, exit_code, stderr)
        self.cmd = cmd
        self.cwd = cwd
        self.exit_code = exit_code
        self.stderr = stderr
        self.stdout = stdout

    def __str__(self) -> str:
        return (
            f"`{' '.join(self.cmd)}` in {self.cwd} ended with exit code "
            f"{self.exit_code}: {self.stderr.strip() or '(no message)'}"
        )


class ConfigFailure(WorkflowFailure):
    """Several problems at once: faults of a configuration, or of what it names."""

    def __init__(self, problems: list[WorkflowFailure]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


def error_message(problems: list[WorkflowFailure]) -> str:
    """One text for the terminal with all problems, each with its hint."""
    if len(problems) == 1:
        return f"bidsloom: {problems[0]}"
    head = f"bidsloom: {len(problems)} problems were found; nothing was started:"
    body = (f"{n}. {p}".replace("\n", "\n   ") for n, p in enumerate(problems, 1))
    return "\n".join([head, *body])


def refuse(problems: Iterable[WorkflowFailure]) -> None:
    """Raise `ConfigFailure` with all problems, if there are any."""
    if found := list(problems):
        raise ConfigFailure(found)
