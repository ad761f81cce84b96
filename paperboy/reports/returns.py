"""Returned mail: read from an inbox or a file."""

from datetime import datetime
from pathlib import Path

from bounces import handler
from bounces.inbox import Mail, maildir_url, read_bounded
from mailings.context import clock_from, house_of
from paperboy.cli.installation import opened


def read_inbox(maildir: Path | None, now: datetime | None) -> dict[str, int] | None:
    """Take in what is new in a Maildir or the inbox of the settings; by what was done, or None without one."""
    settings, database = opened()
    url = maildir_url(maildir) if maildir else settings.inbox_url and settings.inbox_url.get_secret_value()
    if not url:
        return None
    return dict(handler.read_inbox(url, database.sessions, house_of(settings), clock_from(now)))


def take_in_file(path: Path, now: datetime | None) -> dict[str, int]:
    """Take in the mail in a file."""
    return take_in_mail(read_bounded(path), now)


def take_in_mail(raw: bytes, now: datetime | None) -> dict[str, int]:
    """Take in one mail; by what was done."""
    settings, database = opened()
    return dict(handler.take_in_all(database.sessions, [Mail(raw)], house_of(settings), clock_from(now)))
