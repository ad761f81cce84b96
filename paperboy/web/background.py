"""A background worker: a thread that sends mails soon after a page asks for it."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from paperboy.web.errors import is_away, outage_of

logger = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 20  # that a run may take to end; the next sender takes over what it leaves
POLL_INTERVAL_SECONDS = 60  # after an error, or for what another process left


class BackgroundWorker:
    """Calls `run_once` soon after each `wake`, one call at a time.

    `run_once` returns what keeps mails from being sent, or nothing. An obstacle is logged when it begins, changes and
    ends, not at every call.
    """

    def __init__(self, what: str, run_once: Callable[[], str]) -> None:
        self._what = what
        self._run_once = run_once
        self._obstacle = ""
        self._wake_event = threading.Event()
        self._stop_event = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"worker for {what}", daemon=True)

    def __enter__(self) -> Self:
        self._wake_event.set()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_event.set()
        self._wake_event.set()
        self._thread.join(SHUTDOWN_SECONDS)

    def wake(self) -> None:
        """There is something to send."""
        self._wake_event.set()

    def _work(self) -> None:
        while not self._stop_event.is_set():
            self._wake_event.wait(POLL_INTERVAL_SECONDS)
            self._wake_event.clear()
            if not self._stop_event.is_set():
                self._run_and_log()

    def _run_and_log(self) -> None:
        try:
            self._log_obstacle(self._run_once())
        except Exception as error:
            # Whatever it was, the mails stay planned and the next call tries again.
            if is_away(error):
                self._log_obstacle(outage_of(error))
            elif self._is_new(f"{type(error).__name__} at {_place_of(error)}"):
                logger.exception("%s could not be sent", self._what)

    def _log_obstacle(self, obstacle: str) -> None:
        if not self._is_new(obstacle):
            return
        if obstacle:
            logger.warning("%s wait: %s", self._what, obstacle)
        else:
            logger.warning("%s go out again", self._what)

    def _is_new(self, obstacle: str) -> bool:
        before, self._obstacle = self._obstacle, obstacle
        return obstacle != before


def _place_of(error: Exception) -> str:
    """Where an error was raised. The message alone does not identify a bug, since it can differ each time."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
