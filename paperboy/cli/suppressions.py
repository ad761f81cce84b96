"""`paperboy subscribers suppress` and `unsuppress`: an operator decides that an address must not, or may, be mailed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paperboy.cli.choices import BY_HAND
from paperboy.cli.installation import open_installation, record, target_of
from paperboy.cli.options import Email, Json, Now, now_or, parse_now, show

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from core.settings import Settings
    from subscribers.models import Subscriber


def suppress(
    email: Email,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")] = BY_HAND,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Never mail an address again, subscribed or not, and end its subscription. No mail tells its owner."""
    value = _suppress(email, reason, now_or(parse_now(now)))
    how = "suppressed" if value["is_new"] else "was suppressed already"
    line = f"{value['email']}: {how} ({value['suppressed']}). `paperboy subscribers unsuppress` lifts it."
    show(value, as_json, lambda: typer.echo(line))


def _suppress(email: str, reason: str, now: datetime) -> dict[str, Any]:
    from core.audit_log import Action
    from subscribers import suppression
    from subscribers.accounts import find
    from subscribers.addresses import clean_line, normal_address

    _, database = open_installation()
    address = normal_address(email)
    with database.sessions.begin() as session:
        is_new = not suppression.is_suppressed(session, address)
        text = clean_line(reason, suppression.MAX_REASON_LENGTH) or BY_HAND
        suppression.suppress(session, address, text, now, origin=BY_HAND)
        record(session, Action.SUPPRESS, target_of(find(session, address)), now)
        session.flush()
        found = suppression.suppression_of(session, address)
        return {"email": address, "suppressed": found and found.reason, "is_new": is_new}


def unsuppress(email: Email, now: Now = None, as_json: Json = False) -> None:
    """Mail an address again, for example when its mailbox works again. Says what its subscriber gets next."""
    value = _unsuppress(email, now_or(parse_now(now)))
    line = f"{value['email']}: may be mailed again (it was suppressed: {value['was_suppressed']}). "
    show(value, as_json, lambda: typer.echo(line + value["next"]))


def _unsuppress(email: str, now: datetime) -> dict[str, Any]:
    from core.audit_log import Action
    from subscribers import suppression
    from subscribers.addresses import normal_address

    settings, database = open_installation()
    address = normal_address(email)
    with database.sessions.begin() as session:
        found = suppression.suppression_of(session, address)
        subscriber = suppression.unsuppress(session, address, now, origin=BY_HAND)
        record(session, Action.UNSUPPRESS, target_of(subscriber), now)
        return {
            "email": address,
            "was_suppressed": found and found.reason,
            "status": subscriber.status if subscriber else None,
            "next": _what_comes_next(session, subscriber, settings, now),
        }


def _what_comes_next(
    session: "Session", subscriber: "Subscriber | None", settings: "Settings", now: datetime
) -> str:
    from issues.queries import arrivals_after
    from mailings.context import rules_from
    from subscribers.status import SubscriberStatus

    if subscriber is None:
        return "Nobody is subscribed with it."
    if subscriber.status not in {SubscriberStatus.ACTIVE, SubscriberStatus.PAUSED}:
        return f"The subscription is {subscriber.status}: its owner gets mails after a new sign-up."
    unread, _ = arrivals_after(session, now, rules_from(settings).quiet_period, after=subscriber.cursor)
    mail = f"the next {subscriber.frequency} digest"
    if subscriber.status == SubscriberStatus.PAUSED:
        until = subscriber.paused_until or "they resume"
        mail = f"the first {subscriber.frequency} digest after the pause (until {until})"
    return (
        f"Unread papers, from {mail} on: {len(unread)}. Mails that came back are not repeated: "
        f"`paperboy subscribers show {subscriber.email}` lists them, and `paperboy resend` sends copies."
    )
