"""A database of version b83c152 upgrades through every revision, and its digests and links go on working."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text

from core.audit_log import OperatorAction
from core.database import Base, Database, open_engine
from core.details import Detail
from core.frequencies import Frequency
from core.operator_sessions import EndedSession
from core.schema import MIGRATIONS, ensure_current, migrate, open_database
from delivery.context import SendingContext
from delivery.models import CountedUntil, Delivery, EditionCount, EditionRow, MonthlyCount
from delivery.states import DeliveryState
from mailings.context import clock_from
from mailings.digest_run import run_digest
from mailings.upkeep import run_upkeep
from subscribers.accounts import find
from subscribers.models import PastHandle, SignupRequest, Subscriber
from subscribers.tokens import LinkPurpose, read_token
from tests.support.factories import RULES, transport_to
from tests.support.kept_database import END, IDENTITY, KEY, REVISION, kept_links, load_kept_database
from tests.support.servers.smtp import ScriptedServer
from tests.support.site import open_site

RENAMED_TABLES = {
    "applications": "signup_requests",
    "attempts": "rate_limit_counts",
    "forgotten": "forgotten_addresses",
    "paces": "domain_pauses",
    "returned_mails": "bounce_mails",
    "alarms": "sent_alarms",
}
NEXT_MORNING = END + timedelta(minutes=30)


NEW_TABLES = (
    OperatorAction,
    EndedSession,
    PastHandle,
    CountedUntil,
    EditionCount,
    MonthlyCount,
)  # which the old version did not have


@pytest.fixture
def kept_engine(empty_database_url: str) -> Iterator[Engine]:
    """The database as version b83c152 left it."""
    load_kept_database(empty_database_url)
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def upgraded(empty_database_url: str) -> Iterator[Database]:
    """The database of version b83c152 after `paperboy migrate`."""
    load_kept_database(empty_database_url)
    engine = open_engine(empty_database_url)
    migrate(engine)
    engine.dispose()
    database = open_database(empty_database_url)
    yield database
    database.engine.dispose()


def count_rows(engine: Engine) -> dict[str, int]:
    """The number of rows of each table, under its newest name."""
    with engine.connect() as connection:
        return {
            RENAMED_TABLES.get(table, table): connection.execute(
                text(f"SELECT count(*) FROM {table}")  # noqa: S608  a name from the database itself
            ).scalar_one()
            for table in inspect(engine).get_table_names()
        }


def upkeep_context(database: Database, server: ScriptedServer) -> SendingContext:
    return SendingContext(database, transport_to(server), IDENTITY, clock_from(NEXT_MORNING))


def message_id_of(data: bytes) -> str:
    return str(message_from_bytes(data)["Message-ID"]).strip("<>")


def test_the_kept_database_upgrades_through_every_revision_and_keeps_all_rows(kept_engine: Engine) -> None:
    before = count_rows(kept_engine)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newer = [
        script.revision for script in ScriptDirectory.from_config(config).iterate_revisions("head", REVISION)
    ]
    for revision in reversed(newer):
        with kept_engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        after = count_rows(kept_engine)
        assert {table: after[table] for table in before} == before, revision
        assert not any(after[table] for table in after.keys() - before.keys()), "new tables are empty"
    ensure_current(kept_engine)
    with kept_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_every_stored_value_can_be_read_after_the_upgrade(upgraded: Database) -> None:
    """An enumeration raises for a value that it does not know."""
    with upgraded.sessions() as session:
        for mapper in Base.registry.mappers:
            if mapper.class_ in NEW_TABLES:
                continue
            assert session.scalars(select(mapper.class_)).all(), mapper


def test_subscribers_of_the_old_version_go_on_getting_full_mails(upgraded: Database) -> None:
    with upgraded.sessions() as session:
        for table in (Subscriber, SignupRequest, EditionRow):
            assert set(session.scalars(select(table.detail))) == {Detail.FULL}, table


def test_the_digests_that_were_under_way_are_finished_after_the_upgrade(upgraded: Database) -> None:
    with upgraded.sessions() as session:
        due = select(Delivery).where(Delivery.due_at.is_not(None))
        due_ids = {delivery.message_id for delivery in session.scalars(due)}
        sent_before = set(
            session.scalars(select(Delivery.message_id).where(Delivery.state == DeliveryState.SENT))
        )
    with ScriptedServer() as server:
        report = run_upkeep(upkeep_context(upgraded, server), local_now=NEXT_MORNING, rules=RULES)
    assert report.fault == ""
    sent = [message_id_of(message.data) for message in server.messages]
    assert len(sent) == len(set(sent)) == 17, "as many as b83c152 itself sends from this state"
    assert not sent_before & set(sent), "nobody gets a mail again"
    answered = 1  # a sign-up request, whose letter the upkeep itself has planned
    assert len(set(sent) & due_ids) == len(sent) - answered
    with upgraded.sessions() as session:
        still_due = session.scalars(select(Delivery.state).where(Delivery.due_at.is_not(None))).all()
        outcomes = Counter(
            session.scalars(select(Delivery.state).where(Delivery.message_id.in_([*due_ids, *sent])))
        )
    assert still_due == []
    assert outcomes[DeliveryState.SENT] == 17


def test_the_weekly_digest_that_was_under_way_is_planned_for_nobody_twice(upgraded: Database) -> None:
    with ScriptedServer() as server:
        context = upkeep_context(upgraded, server)
        report = run_digest(
            context, Frequency.WEEKLY, local_now=NEXT_MORNING, rules=replace(RULES, daily_papers=2)
        )
        assert (report.fault, report.balances) == ("", True)
        run_upkeep(context, local_now=NEXT_MORNING, rules=RULES)
    with upgraded.sessions() as session:
        keys = session.execute(select(Delivery.subscriber_id, Delivery.slot)).all()
    assert len(keys) == len(set(keys))
    recipients = [message.rcpt[0] for message in server.messages if b"Feedback-ID: digest" in message.data]
    assert len(recipients) == len(set(recipients))


def test_every_link_in_the_mails_of_the_old_version_is_valid_after_the_upgrade(upgraded: Database) -> None:
    with upgraded.sessions() as session:
        for address, tokens in kept_links().items():
            subscriber = find(session, address)
            assert subscriber, address
            for purpose in LinkPurpose:
                about = tokens["move is about"] if purpose == LinkPurpose.MOVE else ""
                handle = read_token(KEY, purpose, tokens[purpose], END.date(), lambda _, about=about: about)  # type: ignore[misc]
                assert handle == subscriber.handle, (address, purpose)


def test_the_pages_behind_old_links_open_and_act_after_the_upgrade(
    upgraded: Database, tmp_path: Path
) -> None:
    tokens = kept_links()
    with open_site(upgraded, tmp_path, secret_key=KEY.decode()) as site:
        site.clock.ahead = END - site.clock()
        assert site.client.get(f"/p/{tokens['bob@example.com']['preferences']}").status_code == 200
        page = f"/u/{tokens['minji@example.com']['unsubscribe']}"
        assert site.client.get(page).status_code == 200
        one_click = site.client.post(page, data={"List-Unsubscribe": "One-Click"})
        assert one_click.status_code == 200
        assert site.subscriber("minji@example.com").status == "unsubscribed"
        move = f"/m/{tokens['alice@example.com']['move']}"
        assert site.client.post(move, follow_redirects=True).status_code == 200
        assert site.subscriber("alice@new.example").language == "en"
