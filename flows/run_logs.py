"""Our log lines in the log of a run in Prefect.

Prefect shows the lines of its own loggers. A setting of Prefect's adds others, but whoever forgets it misses them, and
lines from other threads than the run's, such as the sender's, would have no run. So each run adds the handler itself.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.logging.handlers import APILogHandler

from core.logs import PACKAGES


@contextmanager
def logs_in_prefect(run: str) -> Iterator[None]:
    """Send what our packages log to Prefect, with the id of the flow run."""
    handler = APILogHandler()
    handler.addFilter(lambda record: _assign(record, run))
    loggers = [logging.getLogger(name) for name in PACKAGES]
    loggers = [logger for logger in loggers if not _is_sent(logger)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()


def _is_sent(logger: logging.Logger) -> bool:
    """Whether Prefect sends a logger's lines already, by a setting of its own or in a run that contains this one."""
    return any(isinstance(handler, APILogHandler) for handler in logger.handlers)


def _assign(record: logging.LogRecord, run: str) -> bool:
    """Give a line the id of the run, unless it has one already. Every line passes."""
    record.__dict__.setdefault("flow_run_id", run)
    return True
