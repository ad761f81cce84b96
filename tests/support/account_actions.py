"""What tests of letters and digests share: publishing, actions of subscribers, upkeep, and the mails that follow."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default as modern_policy

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery, EditionRow
from delivery.planner import PRIORITY_QUEUE
from delivery.sender import send_due
from delivery.states import DeliveryKind
from emails.identity import LINK_PATHS
from mailings import account_mails
from mailings.account_mails import SignupAnswer, answer_signup_requests
from mailings.upkeep import UpkeepReport, run_upkeep
from subscribers.accounts import find
from subscribers.models import SignupRequest, Subscriber
from subscribers.tokens import LinkPurpose, read_token
from tests.support.factories import (
    IDENTITY,
    NOW,
    RULES,
    add_issue,
    add_subscriber,
    issue_of,
    sending_context_at,
)
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer

MINJI = "minji@example.com"
PUBLISHED = NOW - timedelta(days=1)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def publish(database: Database, papers: int = 3, *, topic_id: int = 9001, days: int = 0) -> None:
    """Store an issue with this many papers, so many days after the first one."""
    with database.sessions.begin() as session:
        issue = issue_of(papers, start=date(2025, 7, 28) + timedelta(days=days))
        add_issue(session, issue, topic_id=topic_id, now=PUBLISHED + timedelta(days=days))


def subscribe(
    database: Database,
    *addresses: str,
    language: str = "ko",
    frequency: str = "weekly",
    detail: str = "full",
) -> None:
    """Add confirmed subscribers; without addresses, Minji."""
    with database.sessions.begin() as session:
        for address in addresses or (MINJI,):
            add_subscriber(session, address, language=language, frequency=frequency, detail=detail)


def fill_in_form(
    database: Database,
    address: str = MINJI,
    *,
    language: str = "ko",
    frequency: str = "weekly",
    detail: str = "full",
    after: timedelta = timedelta(),
) -> list[SignupAnswer]:
    """Somebody fills in the sign-up form, and the request is answered."""
    with database.sessions.begin() as session:
        session.add(
            SignupRequest(
                email=address,
                language=Language(language),
                frequency=Frequency(frequency),
                detail=Detail(detail),
                network="198.51.100.0/24",
                received_at=NOW + after,
            )
        )
    with database.sessions.begin() as session:
        answers = answer_signup_requests(session, IDENTITY, NOW + after)
        assert session.scalar(select(func.count(SignupRequest.id))) == 0, "a request is answered once"
    return answers


def act(database: Database, action: Callable[[Session, Subscriber], None], address: str = MINJI) -> None:
    """Do something with the account of an address, in a transaction."""
    with database.sessions.begin() as session:
        subscriber = find(session, address)
        assert subscriber
        action(session, subscriber)


def confirm(database: Database, address: str = MINJI, *, after: timedelta = timedelta()) -> None:
    """The subscriber presses the button of the confirmation letter."""
    act(
        database,
        lambda session, subscriber: account_mails.confirm(
            session, subscriber, IDENTITY, RULES, NOW + after, origin="198.51.100.7"
        ),
        address,
    )


def unsubscribe(
    database: Database, address: str = MINJI, *, after: timedelta = timedelta(), reason: str = ""
) -> None:
    """The subscriber unsubscribes with one click."""
    act(
        database,
        lambda session, subscriber: account_mails.unsubscribe(
            session, subscriber, IDENTITY, NOW + after, origin="one-click", reason=reason
        ),
        address,
    )


def request_address_change(database: Database, new: str, *, after: timedelta = timedelta()) -> None:
    """Minji asks on the preferences page for mails to a new address."""
    act(
        database,
        lambda session, subscriber: account_mails.request_address_change(
            session, subscriber, new, IDENTITY, NOW + after, origin="settings"
        ),
    )


def outbox(database: Database) -> list[tuple[str, str, str]]:
    """The address, stream and state of every delivery, in order. A letter's stream is its kind."""
    rows = select(Subscriber.email, EditionRow.slot, Delivery.slot, Delivery.kind, Delivery.state)
    rows = rows.select_from(Delivery).join(Subscriber).join(EditionRow).order_by(Delivery.id)
    with database.sessions() as session:
        return [
            (email, edition_slot if kind == DeliveryKind.LETTER else slot.partition(":")[0], state)
            for email, edition_slot, slot, kind, state in session.execute(rows)
        ]


def send(
    database: Database,
    server: ScriptedServer,
    queue: str | None = PRIORITY_QUEUE,
    *,
    after: timedelta = timedelta(),
) -> None:
    """Send what is due in a queue. Nothing stops the run."""
    with sending_context_at(database, server, NOW + after) as context:
        assert send_due(context, queue, repeat_uncertain=True).stopped == ""


def upkeep(database: Database, server: ScriptedServer, *, after: timedelta = timedelta()) -> UpkeepReport:
    """Run the hourly upkeep, which finds no fault."""
    with sending_context_at(database, server, NOW + after) as context:
        report = run_upkeep(context, local_now=NOW + after, rules=RULES)
    assert report.fault == ""
    return report


def bodies(server: ScriptedServer, index: int) -> tuple[str, str]:
    """Text and HTML of the accepted mail at this index."""
    mail = message_from_bytes(server.messages[index].data, policy=modern_policy)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain
    assert html
    return plain.get_content(), html.get_content()


def links(server: ScriptedServer, index: int) -> set[tuple[str, str]]:
    """Purpose and handle of the links in a mail, which are valid and the same in both bodies.

    A link that confirms a change of address is valid only for the address that the mail went to.
    """
    purposes = {path: purpose for purpose, path in LINK_PATHS.items()}
    address = recipients(server)[index]

    def about(purpose: LinkPurpose) -> str:
        return address if purpose == LinkPurpose.MOVE else ""

    found = [
        {
            (purpose.value, read_token(IDENTITY.key, purpose, token, NOW.date(), lambda _: about(purpose)))  # noqa: B023  called at once
            for path, token in re.findall(r"https://paperboy\.example/([a-z])/([\w-]+)", body)
            for purpose in [purposes[path]]
        }
        for body in bodies(server, index)
    ]
    assert found[0] == found[1]
    return found[0]


def handle_of(database: Database, address: str = MINJI) -> str:
    """The handle of a subscriber."""
    with database.sessions() as session:
        subscriber = find(session, address)
        assert subscriber
        return subscriber.handle


def status_of(database: Database, address: str = MINJI) -> str:
    """The status of a subscriber, or `unknown`."""
    with database.sessions() as session:
        subscriber = find(session, address)
        return subscriber.status if subscriber else "unknown"


def cursor_of(database: Database, address: str = MINJI) -> int:
    """The cursor of a subscriber."""
    with database.sessions() as session:
        subscriber = find(session, address)
        assert subscriber
        return subscriber.cursor
