"""The breaker: when refusals are no longer the readers' fault but ours, and the run must stop."""

from collections import deque
from dataclasses import dataclass, field

IN_A_ROW = 10
WINDOW = 100  # the last mails that the share is taken of
SHARE = 0.5


@dataclass
class Breaker:
    """Counts refusals that nobody expects; those of a dead address are expected."""

    _last: deque[int | None] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def passed(self) -> None:
        """A mail was taken, or its address is dead."""
        self._last.append(None)

    def refused(self, delivery_id: int) -> str:
        """A mail was refused; why the run must stop, or nothing."""
        self._last.append(delivery_id)
        if len(self._last) >= IN_A_ROW and None not in list(self._last)[-IN_A_ROW:]:
            return f"{IN_A_ROW} mails in a row were refused"
        if len(self._last) == WINDOW and len(self.suspects) > WINDOW * SHARE:
            return f"{len(self.suspects)} of the last {WINDOW} mails were refused"
        return ""

    @property
    def suspects(self) -> list[int]:
        """The deliveries that were refused lately."""
        return [delivery_id for delivery_id in self._last if delivery_id is not None]
