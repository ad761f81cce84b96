"""Opens what the use cases need, from the settings: transport, identity, clock and rules."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from core.database import Database
from core.languages import TextLanguage
from core.secret_keys import old_secret_keys, secret_key
from core.settings import Settings
from delivery.context import Clock, SendingContext, SendingLimits
from delivery.transport.base import Transport
from delivery.transport.mailbox import embedded_mailbox
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import parse_smtp_urls
from delivery.warm_up import WarmUp
from emails.identity import MailIdentity
from emails.mime.dkim_signing import DkimSigner
from issues.parse.titles import split_title

LONGEST_MONTH = timedelta(days=31)  # so that nothing is kept for less than the months of the setting


@dataclass(frozen=True)
class MailingRules:
    """The settings that decide what is sent.

    An issue must have been unchanged for the `quiet_period`. `daily_papers` is the minimum of a daily mail. Mails,
    bounces and runs are kept for the `retention`.
    """

    quiet_period: timedelta
    daily_papers: int
    repeat_uncertain: bool
    retention: timedelta = 13 * LONGEST_MONTH


@dataclass(frozen=True)
class IntakeRules:
    """The settings that decide what becomes an issue.

    `identity` is that of the mails in which issues are rendered on trial. `authors` are the forum user names, in lower
    case, of those who may publish. Without any, those who have published may.
    """

    identity: MailIdentity
    daily_papers: int
    authors: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()


def intake_rules_from(settings: Settings) -> IntakeRules:
    """The rules of intake in the settings."""
    identity = public_identity(settings)
    return IntakeRules(identity, settings.daily_papers, settings.authors, settings.allowed_hosts)


def rules_from(settings: Settings) -> MailingRules:
    """The rules in the settings."""
    return MailingRules(
        quiet_period=timedelta(minutes=settings.settle_minutes),
        daily_papers=settings.daily_papers,
        repeat_uncertain=settings.uncertain == "repeat",
        retention=settings.retention_months * LONGEST_MONTH,
    )


def public_identity(settings: Settings) -> MailIdentity:
    """Who sends, by the settings, without the keys: its links and mails are not signed.

    The name of the forum is Korean and English like a title of a post. One name alone is used in both languages.
    """
    korean, english = split_title(settings.forum_name)
    return MailIdentity(
        settings.sender,
        settings.base_url,
        b"",
        name=settings.name,
        forum_names={TextLanguage.KO: korean or english, TextLanguage.EN: english or korean},
        contact=settings.contact,
        postal_address=settings.postal_address,
        reply_to=settings.reply_to,
    )


def identity_from(settings: Settings) -> MailIdentity:
    """Who sends, by the settings.

    Raises:
        DkimKeyError: the key for DKIM cannot be used.
    """
    return replace(
        public_identity(settings),
        key=secret_key(settings),
        old_keys=old_secret_keys(settings),
        signer=dkim_signer(settings),
    )


def dkim_signer(settings: Settings) -> DkimSigner | None:
    """The signer with the keys of the settings, or None where the mail server signs.

    Raises:
        DkimKeyError: a key cannot be used.
    """
    if not settings.dkim_key_file:
        return None
    from emails.mime.dkim_keys import load_signer  # noqa: PLC0415  only signing installations need cryptography

    return load_signer(settings.dkim_selector, settings.dkim_key_file)


def clock_from(now: datetime | None) -> Clock:
    """The real clock, or one that starts at `now`. It keeps going, because some mails wait for their turn."""
    if now is None:
        return lambda: datetime.now(UTC)
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)


def warm_up_from(settings: Settings) -> WarmUp | None:
    """The warm-up in the settings, if there is one."""
    if settings.warm_up_from is None:
        return None
    return WarmUp(settings.warm_up_from, settings.warm_up_mails, settings.zone)


@contextmanager
def open_transport(settings: Settings) -> Iterator[Transport]:
    """The mail servers of the settings; without PAPERBOY_SMTP_URL, the embedded mailbox.

    Raises:
        SmtpUrlError: PAPERBOY_SMTP_URL cannot be used.
    """
    if settings.smtp_url:
        yield SmtpPool(parse_smtp_urls(settings.smtp_url.get_secret_value()))
        return
    with embedded_mailbox(settings.mailbox_dir) as transport:
        yield transport


@contextmanager
def open_sending_context(
    settings: Settings, database: Database, now: datetime | None = None
) -> Iterator[SendingContext]:
    """Everything that sending needs. The clock starts at `now`, if it is given.

    Raises:
        SmtpUrlError: PAPERBOY_SMTP_URL cannot be used.
        DkimKeyError: the key for DKIM cannot be used.
    """
    limits = SendingLimits(
        settings.connections, settings.mails_per_second, settings.mails_per_hour, warm_up_from(settings)
    )
    with open_transport(settings) as transport:
        yield SendingContext(database, transport, identity_from(settings), clock_from(now), limits)
