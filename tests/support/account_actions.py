"""What tests of letters and digests share: issues and readers, what these do, the upkeep that answers, what arrives."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default as modern_policy

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from delivery.models import Delivery, EditionRow
from delivery.planner import PRIORITY_QUEUE
from delivery.sender import send_due
from emails.message import LINK_PATHS
from mailings import account_mails
from mailings.account_mails import answer_signup_requests
from mailings.upkeep import UpkeepReport, upkeep
from subscribers.accounts import find
from subscribers.models import SignupRequest, Subscriber
from subscribers.tokens import read_token
from tests.support.factories import IDENTITY, NOW, RULES, issue_of, sending_context_at, reader, stored_issue
from tests.support.servers.smtp import ScriptedServer

MINJI = "minji@example.com"

PUBLISHED = NOW - timedelta(days=1)

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

SECOND = timedelta(seconds=1)


def publish(database: Database, papers: int = 3, *, topic_id: int = 9001, days: int = 0) -> None:
    with database.sessions.begin() as session:
        issue = issue_of(papers, start=date(2025, 7, 28) + timedelta(days=days))
        stored_issue(session, issue, topic_id=topic_id, now=PUBLISHED + timedelta(days=days))


def subscribe(database: Database, *addresses: str, language: str = "ko", frequency: str = "weekly") -> None:
    """Without addresses it is Minji's."""
    with database.sessions.begin() as session:
        for address in addresses or (MINJI,):
            reader(session, address, language=language, frequency=frequency)


def apply(
    database: Database,
    address: str = MINJI,
    *,
    language: str = "ko",
    frequency: str = "weekly",
    after: timedelta = timedelta(),
) -> list[str]:
    """Somebody fills in the form, and the form is answered."""
    with database.sessions.begin() as session:
        session.add(
            SignupRequest(
                email=address,
                language=language,
                frequency=frequency,
                network="198.51.100.0/24",
                received_at=NOW + after,
            )
        )
    with database.sessions.begin() as session:
        done = answer_signup_requests(session, IDENTITY, NOW + after)
        assert session.scalar(select(func.count(SignupRequest.id))) == 0, "an application is answered once"
    return done


def act(database: Database, what: Callable[[Session, Subscriber], None], address: str = MINJI) -> None:
    with database.sessions.begin() as session:
        known = find(session, address)
        assert known
        what(session, known)


def confirm(database: Database, address: str = MINJI, *, after: timedelta = timedelta()) -> None:
    """The reader presses the button of the confirmation."""
    act(
        database,
        lambda session, known: account_mails.confirm(
            session, known, IDENTITY, RULES, NOW + after, origin="198.51.100.7"
        ),
        address,
    )


def end(
    database: Database, address: str = MINJI, *, after: timedelta = timedelta(), reason: str = ""
) -> None:
    act(
        database,
        lambda session, known: account_mails.end(
            session, known, IDENTITY, NOW + after, origin="one-click", reason=reason
        ),
        address,
    )


def request_address_change(database: Database, new: str, *, after: timedelta = timedelta()) -> None:
    act(
        database,
        lambda session, known: account_mails.request_address_change(
            session, known, new, IDENTITY, NOW + after, origin="settings"
        ),
    )


def outbox(database: Database) -> list[tuple[str, str, str]]:
    """To whom, what kind (a letter's, or the slot without its day), and the state, in order."""
    rows = select(Subscriber.email, EditionRow.slot, Delivery.slot, Delivery.kind, Delivery.state)
    rows = rows.select_from(Delivery).join(Subscriber).join(EditionRow).order_by(Delivery.id)
    with database.sessions() as session:
        return [
            (email, letter if kind == "letter" else slot.partition(":")[0], state)
            for email, letter, slot, kind, state in session.execute(rows)
        ]


def send(
    database: Database,
    server: ScriptedServer,
    slot: str | None = PRIORITY_QUEUE,
    *,
    after: timedelta = timedelta(),
) -> None:
    with sending_context_at(database, server, NOW + after) as context:
        assert send_due(context, slot, repeat_uncertain=True).stopped == ""


def keep_up(database: Database, server: ScriptedServer, *, after: timedelta = timedelta()) -> UpkeepReport:
    with sending_context_at(database, server, NOW + after) as context:
        report = upkeep(context, local_now=NOW + after, rules=RULES)
    assert report.fault == ""
    return report


def bodies(server: ScriptedServer, place: int) -> tuple[str, str]:
    """Text and HTML of the mail that arrived at this place."""
    mail = message_from_bytes(server.messages[place].data, policy=modern_policy)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain
    assert html
    return plain.get_content(), html.get_content()


def saying(text: str) -> Callable[[str], str]:
    """What answers with the text, whatever it is asked."""
    return lambda _: text


def links(server: ScriptedServer, place: int) -> set[tuple[str, str]]:
    """Purpose and handle of the links in a mail, alike in both bodies and valid.

    A link that confirms a change of address is about the address that the mail went to.
    """
    pages = {page: purpose for purpose, page in LINK_PATHS.items()}
    about = {"move": recipients(server)[place]}
    found = [
        {
            (
                pages[page],
                read_token(IDENTITY.key, pages[page], token, NOW.date(), saying(about.get(pages[page], ""))),
            )
            for page, token in re.findall(r"https://paperboy\.example/([a-z])/([\w-]+)", body)
        }
        for body in bodies(server, place)
    ]
    assert found[0] == found[1]
    return found[0]


def recipients(server: ScriptedServer) -> list[str]:
    assert all(len(message.rcpt) == 1 for message in server.messages)
    return [message.rcpt[0] for message in server.messages]


def handle_of(database: Database, address: str = MINJI) -> str:
    with database.sessions() as session:
        known = find(session, address)
        assert known
        return known.handle


def status_of(database: Database, address: str = MINJI) -> str:
    with database.sessions() as session:
        known = find(session, address)
        return known.status if known else "unknown"


def cursor_of(database: Database, address: str = MINJI) -> int:
    with database.sessions() as session:
        known = find(session, address)
        assert known
        return known.cursor
