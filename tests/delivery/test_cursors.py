"""A cursor moves only with a delivery that is made, and back only for papers that no later delivery brings."""

from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from delivery.models import Delivery
from delivery.states import DeliveryState
from mailings.digest_run import run_digest
from subscribers import accounts
from subscribers.models import Subscriber, Suppression
from subscribers.status import SubscriberStatus
from subscribers.suppression import suppress
from tests.support.factories import NOW, RULES, add_issue, add_subscriber, issue_of, sending_context_at
from tests.support.outbox import plan_mails, send, states
from tests.support.servers.smtp import ScriptedServer

WEEK = timedelta(days=7)
CHANGES: dict[str, Callable[[Session, Subscriber], None]] = {
    "pause": lambda _, subscriber: accounts.pause(subscriber, NOW),
    "leave": lambda _, subscriber: accounts.unsubscribe(subscriber, NOW),
    "suppress": lambda session, subscriber: suppress(session, subscriber.email, "test", NOW),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whoever_changes_between_planning_and_sending_gets_the_issue_later(
    database: Database, server: ScriptedServer, change: str
) -> None:
    """The slot runs again for somebody else before they come back, which must not move their cursor."""
    with database.sessions.begin() as session:
        add_issue(session, now=NOW - timedelta(hours=2))
        add_subscriber(session, "changes@example.com")
        accounts.pause(add_subscriber(session, "waits@example.com"), NOW)

    def change_and_resume(_slot: str) -> None:
        with database.sessions.begin() as session:
            subscriber = session.scalars(select(Subscriber).order_by(Subscriber.id)).first()
            assert subscriber
            CHANGES[change](session, subscriber)

    with sending_context_at(database, server) as context:
        run_digest(
            context, Frequency.WEEKLY, local_now=NOW, rules=RULES, start_more_senders=change_and_resume
        )
        with database.sessions.begin() as session:
            waiting = accounts.find(session, "waits@example.com")
            assert waiting
            accounts.resume(waiting, NOW)
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
    with database.sessions.begin() as session:
        first = session.scalars(select(Subscriber).order_by(Subscriber.id)).first()
        assert first
        assert first.cursor == 0, "nothing was sent to them"
        first.status, first.ended_at = SubscriberStatus.ACTIVE, None  # whatever they did
        session.execute(delete(Suppression))
    with sending_context_at(database, server, NOW + WEEK) as context:
        for _ in range(2):
            run_digest(context, Frequency.WEEKLY, local_now=NOW + WEEK, rules=RULES)
    mails = [message for message in server.messages if message.rcpt[0] != "waits@example.com"]
    assert len(mails) == 1
    body = message_from_bytes(mails[0].data, policy=policy.default).get_body(("plain",))
    assert body
    assert all(f"The title of paper {number}" in body.get_content() for number in (1, 2, 3))


def test_a_slot_that_runs_again_for_somebody_else_repeats_no_paper_for_those_who_read_on(
    database: Database, server: ScriptedServer
) -> None:
    with database.sessions.begin() as session:
        add_issue(session, issue_of(4), now=NOW - timedelta(hours=2))
        add_subscriber(session, "minji@example.com", frequency="daily")
        accounts.pause(add_subscriber(session, "waits@example.com", frequency="daily"), NOW)
    with sending_context_at(database, server) as context:
        run_digest(context, Frequency.DAILY, local_now=NOW, rules=RULES)
        with database.sessions.begin() as session:
            reader, waiting = session.scalars(select(Subscriber).order_by(Subscriber.id))
            accounts.change(session, reader, NOW, frequency=Frequency.WEEKLY)
            accounts.resume(waiting, NOW)
        run_digest(context, Frequency.WEEKLY, local_now=NOW, rules=RULES)
        run_digest(context, Frequency.DAILY, local_now=NOW, rules=RULES)
        with database.sessions() as session:
            assert session.scalars(select(Subscriber.cursor).order_by(Subscriber.id)).all() == [4, 2]
    with sending_context_at(database, server, NOW + WEEK) as context:
        run_digest(context, Frequency.WEEKLY, local_now=NOW + WEEK, rules=RULES)
    assert [message.rcpt for message in server.messages] == [
        ["minji@example.com"],
        ["minji@example.com"],
        ["waits@example.com"],
    ]


def test_papers_that_a_later_copy_has_brought_do_not_become_unread_again(
    database: Database, server: ScriptedServer
) -> None:
    with database.sessions.begin() as session:
        add_issue(session, issue_of(2), now=NOW - timedelta(hours=2))
        add_subscriber(session)

    def send_copy_and_pause(_slot: str) -> None:
        with database.sessions.begin() as session:
            subscriber = accounts.find(session, "minji@example.com")
            assert subscriber
            planned = session.scalars(select(Delivery)).one()
            session.add(
                Delivery(
                    subscriber_id=subscriber.id,
                    edition_id=planned.edition_id,
                    slot="resend:1",
                    queue="resend:1",
                    kind="resend",
                    state=DeliveryState.SENT,
                    message_id="copy@paperboy.example",
                    planned_at=NOW,
                )
            )
            accounts.pause(subscriber, NOW)

    with sending_context_at(database, server) as context:
        run_digest(
            context, Frequency.WEEKLY, local_now=NOW, rules=RULES, start_more_senders=send_copy_and_pause
        )
    with database.sessions() as session:
        subscriber = accounts.find(session, "minji@example.com")
        assert subscriber
        assert subscriber.cursor == 2
    assert server.messages == []


@pytest.fixture(
    params=[
        (DeliveryState.SENDING, 0),
        (DeliveryState.UNCERTAIN, 0),
        (DeliveryState.PLANNED, 1),
        (DeliveryState.DEFERRED, 1),
    ]
)
def may_have_arrived(request: pytest.FixtureRequest, database: Database) -> Database:
    """A mail that a crash may have cut off after it arrived, before or after the sender wanted to repeat it."""
    state, repeats = request.param
    plan_mails(database, 1)
    with database.sessions.begin() as session:
        values = {"state": state, "repeats": repeats, "attempts": 1, "due_at": NOW - timedelta(minutes=5)}
        session.execute(update(Delivery).values(**values, claimed_by="a sender that was killed"))
    return database


@pytest.mark.parametrize("change", CHANGES)
def test_a_mail_that_may_have_arrived_stays_uncertain_if_its_reader_changes_before_it_is_repeated(
    may_have_arrived: Database, server: ScriptedServer, change: str
) -> None:
    with may_have_arrived.sessions.begin() as session:
        CHANGES[change](session, session.scalars(select(Subscriber)).one())
    send(may_have_arrived, server)
    assert (server.messages, states(may_have_arrived)) == ([], {"uncertain": 1})
    with may_have_arrived.sessions() as session:
        assert session.scalars(select(Subscriber.cursor)).one() == 2, "the papers would come a second time"
