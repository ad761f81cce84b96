"""`paperboy subscribers`: who reads."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from paperboy.cli.installation import local_time, open_installation, record, target_of
from paperboy.cli.options import (
    DetailName,
    Email,
    FrequencyName,
    Json,
    LanguageName,
    Now,
    member,
    now_or,
    parse_now,
    print_table,
    show,
)

if TYPE_CHECKING:
    from subscribers.choices import Choices
    from subscribers.models import Subscriber

app = typer.Typer(help="Who reads.", no_args_is_help=True)


@app.command("add")
def add_subscriber(
    email: Email,
    language: LanguageName,
    frequency: FrequencyName,
    detail: DetailName = Detail.FULL,
    name: Annotated[str, typer.Option(help="For the greeting.")] = "",
    confirmed: Annotated[bool, typer.Option("--confirmed", help="They have agreed already.")] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Sign an address up. Without --confirmed a mail asks its owner to confirm."""
    from subscribers.choices import Choices

    choices = Choices(
        member("language", language, Language),
        member("frequency", frequency, Frequency),
        member("detail", detail, Detail),
    )
    show_brief(_add(email, choices, name, confirmed, now_or(parse_now(now))), as_json)


def _add(email: str, choices: "Choices", name: str, confirmed: bool, now: datetime) -> dict[str, Any]:
    from core.secret_keys import secret_key
    from emails.kinds import MailKind
    from mailings.account_mails import plan_letter_once
    from mailings.context import identity_from
    from subscribers import accounts, erasure
    from subscribers.addresses import AccountError
    from subscribers.status import SubscriberStatus

    settings, database = open_installation()
    with database.sessions.begin() as session:
        is_known = accounts.find(session, email) is not None
        if not is_known and erasure.is_forgotten(session, email, secret_key(settings)):
            raise AccountError(
                f"{email} asked to be forgotten: only its owner can sign up again, at {settings.base_url}"
            )
        subscriber = accounts.sign_up(
            session,
            email,
            language=choices.language,
            frequency=choices.frequency,
            detail=choices.detail,
            name=name,
            now=now,
        )
        if confirmed:
            accounts.confirm(session, subscriber, now)
        elif subscriber.status == SubscriberStatus.PENDING:
            plan_letter_once(session, subscriber, MailKind.CONFIRMATION, identity_from(settings), now)
        return subscriber_entry(subscriber)


@app.command("list")
def list_subscribers(as_json: Json = False) -> None:
    """All subscribers."""
    from sqlalchemy import select

    from subscribers.models import Subscriber
    from subscribers.status import SubscriberStatus

    _, database = open_installation()
    with database.sessions() as session:
        known = select(Subscriber).where(Subscriber.status != SubscriberStatus.FORGOTTEN)
        entries = [subscriber_entry(row) for row in session.scalars(known.order_by(Subscriber.id))]
    columns = ["id", "email", "language", "frequency", "detail", "status", "cursor"]
    rows = [[str(entry[column]) for column in columns] for entry in entries]
    show(entries, as_json, lambda: print_table("Subscribers", columns, rows))


@app.command("show")
def show_subscriber(email: Email, as_json: Json = False) -> None:
    """One subscriber: what they were sent, what came back, what they changed."""
    from monitoring.history import history_of_subscriber

    _, database = open_installation()
    with database.sessions() as session:
        subscriber = find_subscriber(session, email)
        value = subscriber_entry(subscriber) | history_of_subscriber(session, subscriber)

    def print_lines() -> None:
        typer.echo(f"{_line_of(value)}, cursor {value['cursor']}")
        if value["suppressed"]:
            typer.echo(f"suppressed: {value['suppressed']}")
        mail_keys = ("id", "planned_at", "slot", "state", "papers", "subject", "reply")
        mails = [
            [str(mail[key]) for key in mail_keys]
            for mail in (row | {"planned_at": local_time(row["planned_at"])} for row in value["deliveries"])
        ]
        print_table("Deliveries", ["id", "when", "slot", "state", "papers", "subject", "reply"], mails)
        bounce_keys = ("kind", "status", "action", "said")
        if bounces := [
            [local_time(mail["at"]), *(mail[key] for key in bounce_keys)] for mail in value["returned"]
        ]:
            print_table("Came back", ["when", "what", "status", "done", "reason"], bounces)
        changes = [
            [local_time(change["at"]), change["what"], _detail(change["detail"])]
            for change in value["changes"]
        ]
        print_table("Changes", ["when", "what", "detail"], changes)

    show(value, as_json, print_lines)


def _detail(detail: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in detail.items())


@app.command("forget")
def forget_subscriber(email: Email, now: Now = None, as_json: Json = False) -> None:
    """Erase a subscriber with all that is stored of them, at once and for good."""
    value = _forget(email, now_or(parse_now(now)))
    line = (
        f"Erased {value['email']} (events: {value['events']}, mails: {value['mails']}). "
        "A keyed hash of the address stays, so that no import brings it back."
    )
    show(value, as_json, lambda: typer.echo(line))


def _forget(email: str, now: datetime) -> dict[str, Any]:
    from core.audit_log import Action
    from delivery.queries import mails_of_subscriber
    from mailings.account_mails import forget
    from mailings.context import identity_from
    from mailings.traces import erase_traces_of

    settings, database = open_installation()
    with database.sessions.begin() as session:
        subscriber = find_subscriber(session, email)
        erased: dict[str, Any] = {
            "email": subscriber.email,
            "events": len(subscriber.events),
            "mails": len(mails_of_subscriber(session, subscriber.id)),
        }
        record(session, Action.FORGET, target_of(subscriber), now)
        forget(session, subscriber, identity_from(settings), now)
    erase_traces_of(erased["email"], settings, database)
    return erased


def find_subscriber(session: Any, email: str) -> "Subscriber":
    """The subscriber with an address.

    Raises:
        AccountError: there is none.
    """
    from subscribers import accounts
    from subscribers.addresses import AccountError

    subscriber = accounts.find(session, email)
    if subscriber is None:
        raise AccountError(f"{email} is not subscribed")
    return subscriber


def subscriber_entry(subscriber: "Subscriber") -> dict[str, Any]:
    """A subscriber in brief."""
    names = ("id", "email", "name", "language", "frequency", "detail", "status", "cursor")
    return {name: getattr(subscriber, name) for name in names}


def show_brief(entry: dict[str, Any], as_json: bool) -> None:
    """Print a subscriber in brief."""
    show(entry, as_json, lambda: typer.echo(_line_of(entry)))


def _line_of(entry: dict[str, Any]) -> str:
    values = (entry[name] for name in ("language", "frequency", "detail", "status"))
    return f"{entry['email']}: {', '.join(values)}"
