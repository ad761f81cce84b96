"""Subscribers: added, taken over, exported, forgotten, listed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from core.settings import secret_key
from delivery.models import Delivery
from mailings import account_mails
from mailings.context import house_of
from paperboy.cli.installation import opened
from subscribers import accounts, transfer
from subscribers.models import Subscriber


def add_subscriber(
    email: str, language: str, frequency: str, name: str, confirmed: bool, now: datetime | None
) -> dict[str, Any]:
    """Sign an address up, and confirm it if they agreed already."""
    settings, database = opened()
    moment = now or datetime.now(UTC)
    with database.sessions.begin() as session:
        if not accounts.find(session, email) and accounts.is_forgotten(session, email, secret_key(settings)):
            raise accounts.AccountError(
                f"{email} asked to be forgotten: only its owner can sign up again, at {settings.base_url}"
            )
        subscriber = accounts.sign_up(
            session, email, language=language, frequency=frequency, name=name, now=moment
        )
        if confirmed:
            accounts.confirm(session, subscriber, moment)
        elif subscriber.status == "pending":
            account_mails.write_once(session, subscriber, "confirmation", house_of(settings), moment)
        return in_brief(subscriber)


def import_subscribers(
    path: Path, now: datetime | None, on_refusal: Callable[[transfer.Refusal], None]
) -> transfer.ImportReport:
    """Store the readers of a CSV file; each row that is not taken is told at once."""
    settings, database = opened()
    return transfer.import_readers(
        database.sessions,
        path,
        key=secret_key(settings),
        now=now or datetime.now(UTC),
        zone=settings.zone,
        on_refusal=on_refusal,
    )


def export_subscribers(everyone: bool) -> Iterator[str]:
    """The lines of a CSV file of readers."""
    _, database = opened()
    return transfer.export_lines(database.sessions, everyone=everyone)


def forget_subscriber(email: str, now: datetime | None) -> dict[str, Any]:
    """Erase a subscriber; what was erased, in numbers."""
    settings, database = opened()
    with database.sessions.begin() as session:
        subscriber = accounts.find(session, email)
        if subscriber is None:
            raise accounts.AccountError(f"{email} is not subscribed")
        mails = select(func.count()).where(Delivery.subscriber_id == subscriber.id)
        erased = {
            "email": subscriber.email,
            "events": len(subscriber.events),
            "mails": session.scalar(mails) or 0,
        }
        account_mails.forget(session, subscriber, house_of(settings), now or datetime.now(UTC))
        return erased


def in_brief(subscriber: Subscriber) -> dict[str, Any]:
    """A subscriber in a few words and numbers."""
    names = ("id", "email", "name", "language", "frequency", "status", "cursor")
    return {name: getattr(subscriber, name) for name in names}


def list_subscribers() -> list[dict[str, Any]]:
    """All subscribers in brief."""
    _, database = opened()
    with database.sessions() as session:
        rows = select(Subscriber).where(Subscriber.status != "forgotten").order_by(Subscriber.id)
        return [in_brief(row) for row in session.scalars(rows)]
