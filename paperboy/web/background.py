"""A postman: a thread that sends what somebody is waiting for."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paperboy.web.errors import is_away, trouble_of

logger = logging.getLogger(__name__)

GRACE = 20  # seconds that a round has to end; what it leaves, the next sender takes up
LOOK_AGAIN = 60  # seconds, after a fault or for what another process left


class Postman:
    """Makes his `round` soon after each nudge, one at a time; it returns what keeps mails back, or nothing.

    A trouble is logged when it begins, changes and ends, not at every round.
    """

    def __init__(self, what: str, make_round: Callable[[], str]) -> None:
        self._what = what
        self._make_round = make_round
        self._trouble = ""
        self._bell = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"postman of {what}", daemon=True)

    def __enter__(self) -> Self:
        self._bell.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._bell.set()
        self._thread.join(GRACE)

    def nudge(self) -> None:
        """There is mail."""
        self._bell.set()

    def _work(self) -> None:
        while not self._ends.is_set():
            self._bell.wait(LOOK_AGAIN)
            self._bell.clear()
            if not self._ends.is_set():
                self._round()

    def _round(self) -> None:
        try:
            self._note(self._make_round())
        except Exception as fault:
            # Whatever it was: the letters stay planned, and the next round tries again.
            if is_away(fault):
                self._note(trouble_of(fault))
            elif self._is_new(f"{type(fault).__name__} at {_place_of(fault)}"):
                logger.exception("%s could not be sent", self._what)

    def _note(self, trouble: str) -> None:
        if self._is_new(trouble):
            logger.warning("%s wait: %s" if trouble else "%s go out again%s", self._what, trouble)

    def _is_new(self, trouble: str) -> bool:
        before, self._trouble = self._trouble, trouble
        return trouble != before


def _place_of(fault: Exception) -> str:
    """Where it was raised: the same mistake of ours can come with another text each time."""
    trace = fault.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
