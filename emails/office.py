"""Opens what sending stands on, from the settings: database, mail server or mailbox, house and rules."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.settings import Settings, secret_key
from emails.digests import Office, Rules
from emails.mailbox import embedded_mailbox
from emails.message import House
from emails.sending import Clock
from emails.transport import Transport, parse_address


def rules_of(settings: Settings) -> Rules:
    """The rules that the settings give."""
    return Rules(
        settle=timedelta(minutes=settings.settle_minutes),
        daily_papers=settings.daily_papers,
        repeat_uncertain=settings.uncertain == "repeat",
    )


def house_of(settings: Settings) -> House:
    """What all mails share, by the settings."""
    return House(settings.sender, settings.base_url, secret_key(settings))


@contextmanager
def open_office(settings: Settings, database: Database, now: datetime | None = None) -> Iterator[Office]:
    """All that sending needs; without PAPERBOY_SMTP_URL the embedded mailbox takes the mails.

    `now` stops the clock there.

    Raises:
        AddressError: PAPERBOY_SMTP_URL cannot be used.
    """
    clock: Clock = (lambda: now) if now else (lambda: datetime.now(UTC))
    if settings.smtp_url:
        address = nullcontext(settings.smtp_url.get_secret_value())
    else:
        address = embedded_mailbox(settings.mailbox_dir)  # type: ignore[assignment]  # both give an address
    with address as url, Transport(parse_address(url)) as transport:
        yield Office(database, transport, house_of(settings), clock)
