"""The counts that are kept miss no delivery, whatever ids the database gives."""

from datetime import timedelta

from sqlalchemy import select

from core.database import Database
from delivery import counts, events
from delivery.counts import count_slot_by_state
from delivery.models import Delivery, EditionRow
from mailings.account_mails import forget
from mailings.retention import run_retention
from monitoring.statistics import mails_by_month
from subscribers.models import Subscriber
from tests.support.factories import IDENTITY, NOW, RULES, add_subscriber
from tests.support.outbox import SLOT, plan_edition, plan_mails, send
from tests.support.servers.smtp import ScriptedServer


def test_a_mail_is_counted_that_gets_the_id_of_a_forgotten_subscribers_last_one(
    database: Database, server: ScriptedServer
) -> None:
    plan_mails(database, 3)
    send(database, server)
    run_retention(database, NOW + timedelta(days=10), RULES)
    with database.sessions.begin() as session:
        assert counts.counted_until(session) == 3
        newest = session.scalars(select(Delivery).order_by(Delivery.id.desc())).first()
        assert newest
        forget(session, session.get_one(Subscriber, newest.subscriber_id), IDENTITY, NOW)
    with database.sessions.begin() as session:
        events.erase_forgotten_subscribers(session)
    later = NOW + timedelta(days=20)
    with database.sessions.begin() as session:
        add_subscriber(session, "new@example.com")
        row = session.scalars(select(EditionRow)).one()
        assert plan_edition(session, row, later) == 1
    send(database, server, now=later)
    with database.sessions() as session:
        assert count_slot_by_state(session, SLOT)["sent"] == 4
    run_retention(database, later + timedelta(days=10), RULES)
    with database.sessions() as session:
        assert [month.sent for month in mails_by_month(session)] == [4], (
            "the forgotten one's mail stays counted"
        )
