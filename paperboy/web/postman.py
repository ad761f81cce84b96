"""The postman: a thread that answers sign-ups and sends the letters that somebody is waiting for."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

logger = logging.getLogger(__name__)

LOOK_AGAIN = 60  # seconds, after a fault or for what another process left


class Postman:
    """Makes his `round` soon after each nudge, one at a time."""

    def __init__(self, make_round: Callable[[], None]) -> None:
        self._make_round = make_round
        self._bell = threading.Event()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)

    def __enter__(self) -> Self:
        self._bell.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._bell.set()
        self._thread.join()

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
            self._make_round()
        except Exception:
            # Whatever it was: the letters stay planned, and the next round tries again.
            logger.exception("letters could not be sent")
