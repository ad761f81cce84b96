"""What the doctor found, in one line each, and how checks are made: all at once, none for too long."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Literal, NamedTuple

State = Literal["ok", "warning", "failed"]
LONGEST = 300  # characters of what a server said


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it is, what was seen and what to do about it (nothing if ok)."""

    name: str
    state: State
    said: str
    remedy: str = ""

    def line(self) -> str:
        """The finding for a person to read."""
        line = f"{self.state:<8} {self.name}: {one_line(self.said)}"
        return f"{line} -> {one_line(self.remedy)}" if self.remedy else line


def ok(name: str, said: str) -> Finding:
    """Nothing to do."""
    return Finding(name, "ok", said)


def warning(name: str, said: str, remedy: str) -> Finding:
    """It works, or nobody can say; somebody should look at it."""
    return Finding(name, "warning", said, remedy)


def failed(name: str, said: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(name, "failed", said, remedy)


def one_line(text: object) -> str:
    """A text as it may come from anywhere, without breaks and control signs, and not endless."""
    words = " ".join(str(text).split())
    return "".join(sign for sign in words if sign.isprintable())[:LONGEST]


class Check(NamedTuple):
    """What is looked at, and the looking."""

    name: str
    look: Callable[[], Iterable[Finding]]


def look_at_all(checks: Sequence[Check], seconds: float) -> list[Finding]:
    """Make all checks at once; one that takes longer or breaks down is a failed line itself."""
    looks = [_Look(check) for check in checks]
    for look in looks:
        look.start()
    deadline = time.monotonic() + seconds
    for look in looks:
        look.join(max(deadline - time.monotonic(), 0))
    return [finding for look in looks for finding in look.result(seconds)]


class _Look(Thread):
    """One check in a thread that nobody waits for at the end of the program."""

    def __init__(self, check: Check) -> None:
        super().__init__(name=check.name, daemon=True)
        self._check = check
        self._found: list[Finding] = []

    def run(self) -> None:
        try:
            for finding in self._check.look():
                self._found.append(finding)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told in a line
            said = f"could not be looked at: {type(error).__name__}: {error}"
            self._found.append(failed(self._check.name, said, "if this makes no sense, report it"))

    def result(self, seconds: float) -> list[Finding]:
        """What was found by now."""
        found = list(self._found)
        if self.is_alive():
            remedy = "see what keeps it: the network, a firewall, a server that hangs"
            found.append(failed(self._check.name, f"no answer within {seconds:g} seconds", remedy))
        return found
