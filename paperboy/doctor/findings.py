"""The findings of the doctor, one line each, and the runner that makes all checks at once in threads."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Literal, NamedTuple

State = Literal["ok", "warning", "failed"]
MAX_TEXT_CHARS = 300  # characters of a text, which may come from a server


@dataclass(frozen=True)
class Finding:
    """What a check found: its subject, its state, what was seen, and the remedy (empty if the state is ok).

    `paperboy doctor --json` prints these fields, so their names cannot change.
    """

    name: str
    state: State
    problem: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as a line for the operator."""
        line = f"{self.state:<8} {self.name}: {one_line(self.problem)}"
        return f"{line} -> {one_line(self.remedy)}" if self.remedy else line


def ok(name: str, problem: str) -> Finding:
    """A finding that needs no action."""
    return Finding(name, "ok", problem)


def warning(name: str, problem: str, remedy: str) -> Finding:
    """A finding that somebody should look at: it works for now, or it cannot be checked from here."""
    return Finding(name, "warning", problem, remedy)


def failed(name: str, problem: str, remedy: str) -> Finding:
    """A finding that something does not work."""
    return Finding(name, "failed", problem, remedy)


def one_line(text: object) -> str:
    """A text from anywhere, shortened to MAX_TEXT_CHARS, without line breaks and control characters."""
    words = " ".join(str(text).split())
    return "".join(char for char in words if char.isprintable())[:MAX_TEXT_CHARS]


class Check(NamedTuple):
    """A check: its subject, and the function that makes it and returns its findings."""

    name: str
    run: Callable[[], Iterable[Finding]]


def run_checks(checks: Sequence[Check], timeout_seconds: float) -> list[Finding]:
    """Run all checks at once. A check that takes too long or raises an error gets a failed finding."""
    threads = [_CheckThread(check) for check in checks]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout_seconds
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0))
    return [finding for thread in threads for finding in thread.findings(timeout_seconds)]


class _CheckThread(Thread):
    """A daemon thread for one check, so that a check that hangs does not keep the program from ending."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=check.name, daemon=True)
        self._check = check
        self._found: list[Finding] = []

    def run(self) -> None:
        try:
            # The findings are collected one by one: those before an error or the timeout still count.
            for finding in self._check.run():
                self._found.append(finding)
        except Exception as error:  # noqa: BLE001  every error becomes a finding
            problem = f"the check itself failed: {type(error).__name__}: {error}"
            self._found.append(failed(self._check.name, problem, "report this if you see no cause for it"))

    def findings(self, timeout_seconds: float) -> list[Finding]:
        """The findings so far, with a failed one if the check is still running."""
        found = list(self._found)
        if self.is_alive():
            remedy = "check the network, the firewall and whether a server hangs"
            found.append(failed(self._check.name, f"no answer within {timeout_seconds:g} seconds", remedy))
        return found
