"""What tests of the `paperboy` command share: its type in tests, its JSON output, and six subscribers."""

import json
from collections.abc import Callable
from typing import Any

Paperboy = Callable[..., tuple[int, str, str]]  # takes the arguments, returns exit code, output and errors

INGESTED_AT = "2026-03-14T10:00+09:00"


def json_of(result: tuple[int, str, str]) -> Any:
    """The JSON output of a command that succeeded."""
    code, out, err = result
    assert code == 0, err
    return json.loads(out)


def add_six_subscribers(paperboy: Paperboy) -> None:
    """Add a confirmed subscriber for each language and frequency."""
    for language in ("ko", "en", "both"):
        for frequency in ("weekly", "daily"):
            address = f"{language}-{frequency}@example.com"
            options = ("--language", language, "--frequency", frequency, "--confirmed", "--now", "2026-03-01")
            assert paperboy("subscribers", "add", address, *options)[0] == 0
