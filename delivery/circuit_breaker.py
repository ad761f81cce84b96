"""The circuit breaker: stops a run when so many mails are refused that the fault must be ours, not the recipients'."""

from collections import deque
from dataclasses import dataclass, field

MAX_CONSECUTIVE_FAILURES = 10
WINDOW_MAILS = 100  # the last mails, of which at most MAX_FAILURE_RATE may have failed
MAX_FAILURE_RATE = 0.5


@dataclass
class CircuitBreaker:
    """Counts unexpected failures. A dead address is an expected one."""

    _last: deque[int | None] = field(default_factory=lambda: deque(maxlen=WINDOW_MAILS))

    def record_success(self) -> None:
        """A mail was accepted, or its address is dead."""
        self._last.append(None)

    def record_failure(self, delivery_id: int) -> str:
        """A mail was refused. Returns why the run must stop, or nothing."""
        self._last.append(delivery_id)
        last = list(self._last)[-MAX_CONSECUTIVE_FAILURES:]
        if len(last) == MAX_CONSECUTIVE_FAILURES and None not in last:
            return f"{MAX_CONSECUTIVE_FAILURES} mails in a row were refused"
        failures = len(self.failed_ids)
        if len(self._last) == WINDOW_MAILS and failures > WINDOW_MAILS * MAX_FAILURE_RATE:
            return f"{failures} of the last {WINDOW_MAILS} mails were refused"
        return ""

    @property
    def failed_ids(self) -> list[int]:
        """The deliveries that were refused lately."""
        return [delivery_id for delivery_id in self._last if delivery_id is not None]
