"""The checks of the doctor, and the runner that makes all of them at once in threads."""

import time
from collections.abc import Callable, Iterable, Sequence
from threading import Thread
from typing import NamedTuple

from monitoring.findings import Finding, failed


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
