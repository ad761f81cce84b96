"""Logs for machines: one JSON object a line, with the ids of what each line is about as fields of their own."""

import logging
from typing import Literal

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

PACKAGES = ("core", "issues", "subscribers", "emails", "flows", "paperboy")
_NAMES = {"levelname": "level", "name": "logger"}


def set_up(log_format: Literal["text", "json"]) -> None:
    """Have every line on a terminal or in a file be one JSON object, if that is asked for.

    Its fields: time (ISO 8601, UTC), level, logger, message, and what is given as `extra`. It may be called
    again, after others have set up loggers of their own.
    """
    if log_format == "text":
        return
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    formatter = JsonFormatter(
        ["levelname", "name", "message"],
        timestamp="time",
        rename_fields=_NAMES,
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's second message, for terminals
        json_ensure_ascii=False,
    )
    for logger in (root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setFormatter(formatter)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.INFO)
