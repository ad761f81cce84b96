"""`paperboy subscribers set`: an operator changes what a subscriber gets."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import typer

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from paperboy.cli.installation import open_installation, record
from paperboy.cli.options import Email, Json, Now, member, names_of, now_or, parse_now
from paperboy.cli.subscribers import find_subscriber, show_brief, subscriber_entry

BY_HAND = "by hand"  # where a change came from, in the subscriber's history


@dataclass(frozen=True)
class _Change:
    language: Language | None
    frequency: Frequency | None
    detail: Detail | None
    pause_until: date | None
    resume: bool
    unsubscribe: bool


def set_subscriber(
    email: Email,
    language: Annotated[str, typer.Option(help=f"{names_of(Language)}.")] = "",
    frequency: Annotated[str, typer.Option(help=f"{names_of(Frequency)}.")] = "",
    detail: Annotated[str, typer.Option(help=f"{names_of(Detail)}.")] = "",
    pause_until: Annotated[
        str, typer.Option(metavar="DATE", help="Send nothing before this day (2025-09-01); papers wait.")
    ] = "",
    resume: Annotated[bool, typer.Option("--resume", help="End a pause now.")] = False,
    unsubscribe: Annotated[
        bool, typer.Option("--unsubscribe", help="End the subscription, with a farewell by mail.")
    ] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Change what a subscriber gets, as they can by the links in their mails."""
    if not (language or frequency or detail or pause_until or resume or unsubscribe):
        raise typer.BadParameter("say what to change: see --help")
    if bool(pause_until) + resume + unsubscribe > 1:
        raise typer.BadParameter("give only one of --pause-until, --resume and --unsubscribe")
    moment = now_or(parse_now(now))
    change = _Change(
        member("language", language, Language) if language else None,
        member("frequency", frequency, Frequency) if frequency else None,
        member("detail", detail, Detail) if detail else None,
        _parse_pause(pause_until, moment) if pause_until else None,
        resume,
        unsubscribe,
    )
    show_brief(_apply(change, email, moment), as_json)


def _parse_pause(text: str, now: datetime) -> date:
    from core.settings import load_settings
    from subscribers.choices import may_end_pause

    try:
        day = date.fromisoformat(text)
    except ValueError:
        fault = f"{text!r} is not a day like 2025-09-01"
    else:
        if may_end_pause(day, load_settings().local(now).date()):
            return day
        fault = f"{day} must be after today and within a year"
    raise typer.BadParameter(fault, param_hint="--pause-until")


def _apply(change: _Change, email: str, now: datetime) -> dict[str, Any]:
    """Make the change in one transaction. Returns the subscriber in brief."""
    from core.audit_log import Action
    from mailings import account_mails
    from mailings.context import identity_from
    from subscribers import accounts

    settings, database = open_installation()
    with database.sessions.begin() as session:
        subscriber = find_subscriber(session, email)
        record(session, Action.EDIT, f"subscriber {subscriber.id}", now)
        accounts.change(
            session,
            subscriber,
            now,
            language=change.language,
            frequency=change.frequency,
            detail=change.detail,
            origin=BY_HAND,
        )
        if change.pause_until:
            accounts.pause(subscriber, now, until=change.pause_until, origin=BY_HAND)
        elif change.resume:
            accounts.resume(subscriber, now, origin=BY_HAND)
        elif change.unsubscribe:
            account_mails.unsubscribe(session, subscriber, identity_from(settings), now, origin=BY_HAND)
        return subscriber_entry(subscriber)
