"""The circuit breaker: stops a run when so many mails are refused that the fault must be ours, not the recipients'."""

from collections import deque
from dataclasses import dataclass, field

MAX_CONSECUTIVE_FAILURES = 10
MAX_POLICY_REFUSALS = 3  # at the beginning of a run, to recipients of several domains
WINDOW_MAILS = 100  # the last mails, of which at most MAX_FAILURE_RATE may have failed
MAX_FAILURE_RATE = 0.5


@dataclass
class CircuitBreaker:
    """Counts unexpected failures. A dead address or a full mailbox is an expected one."""

    _has_success: bool = False
    _refusing_domains: list[str] = field(default_factory=list)
    _last: deque[int | None] = field(default_factory=lambda: deque(maxlen=WINDOW_MAILS))

    def record_success(self) -> None:
        """A mail was accepted, or the fault is its address's."""
        self._has_success = True
        self._last.append(None)

    def record_failure(self, delivery_id: int, refused_by: str = "") -> str:
        """A mail was refused. Returns why the run must stop, or nothing.

        `refused_by` is the recipient's mail domain if the server has a rule against the mail or its sender. Such a rule
        may be about one recipient. It is about us if the first mails to several domains are all refused.
        """
        self._last.append(delivery_id)
        self._refusing_domains += [refused_by] if refused_by else []
        are_all_refused = not self._has_success and len(self._refusing_domains) >= MAX_POLICY_REFUSALS
        if are_all_refused and len(set(self._refusing_domains)) > 1:
            return f"the first {len(self._last)} mails were refused"
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
