"""Opens what sending stands on, from the settings: database, mail server or mailbox, house and rules."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.settings import Settings, secret_key
from delivery.rate_limit import Speed
from delivery.sender import Clock, Office
from delivery.transport.mailbox import embedded_mailbox
from delivery.transport.pool import Transport, parse_addresses
from emails.message import House
from emails.mime.dkim_signing import read_signer
from mailings.digest_run import Rules


def rules_of(settings: Settings) -> Rules:
    """The rules that the settings give."""
    return Rules(
        settle=timedelta(minutes=settings.settle_minutes),
        daily_papers=settings.daily_papers,
        repeat_uncertain=settings.uncertain == "repeat",
    )


def house_of(settings: Settings) -> House:
    """What all mails share, by the settings.

    Raises:
        SigningError: the key for DKIM cannot be used.
    """
    file = settings.dkim_key_file
    signer = read_signer(settings.dkim_selector, file) if file else None
    return House(settings.sender, settings.base_url, secret_key(settings), signer)


def clock_from(now: datetime | None) -> Clock:
    """The clock, or one that starts at `now`: it goes on, as some mails wait for their turn."""
    if now is None:
        return lambda: datetime.now(UTC)
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


@contextmanager
def open_office(settings: Settings, database: Database, now: datetime | None = None) -> Iterator[Office]:
    """All that sending needs; without PAPERBOY_SMTP_URL the embedded mailbox takes the mails.

    The clock starts at `now`, if that is given.

    Raises:
        AddressError: PAPERBOY_SMTP_URL cannot be used.
    """
    if settings.smtp_url:
        address = nullcontext(settings.smtp_url.get_secret_value())
    else:
        address = embedded_mailbox(settings.mailbox_dir)  # type: ignore[assignment]  # both give an address
    with address as urls:
        transport = Transport(parse_addresses(urls))
        speed = Speed(settings.connections, settings.mails_per_second, settings.mails_per_hour)
        yield Office(database, transport, house_of(settings), clock_from(now), speed)
