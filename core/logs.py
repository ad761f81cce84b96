"""Structured logs: one JSON object a line, with the ids of what each line is about as fields of their own."""

import logging
from typing import Literal

PACKAGES = (
    "core", "issues", "subscribers", "emails", "delivery", "monitoring", "mailings", "bounces", "flows", "paperboy"
)  # fmt: skip
_FIELD_NAMES = {"levelname": "level", "name": "logger"}


def configure_logging(log_format: Literal["text", "json"]) -> None:
    """Make every log line one JSON object, if `log_format` asks for it.

    The fields are time (ISO 8601, UTC), level, logger, message, and whatever a line gives as `extra`. Call it
    again after a library has set up loggers of its own.
    """
    if log_format == "text":
        return
    from pythonjsonlogger.core import RESERVED_ATTRS  # noqa: PLC0415  only this format needs it
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler())
    formatter = JsonFormatter(
        ["levelname", "name", "message"],
        timestamp="time",
        rename_fields=_FIELD_NAMES,
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn repeats each message in colours
        json_ensure_ascii=False,
    )
    for logger in (root, *(logging.getLogger(name) for name in logging.root.manager.loggerDict)):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setFormatter(formatter)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(logging.INFO)
