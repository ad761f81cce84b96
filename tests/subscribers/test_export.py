"""An export holds everyone who is subscribed, once, in the form that an import reads."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from core.schema import open_database
from subscribers import transfer
from subscribers.accounts import pause, sign_up, unsubscribe
from subscribers.csv_files import write_private
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.transfer import COLUMNS, ImportReport, export_lines
from tests.support.csv_transfer import ImportText, all_subscribers, delete_all_subscribers
from tests.support.factories import NOW, add_subscriber


def export(database: Database, *, everyone: bool = False) -> str:
    return "".join(export_lines(database.sessions, everyone=everyone))


def test_an_export_can_be_imported_and_gives_the_same_subscribers(
    database: Database, import_text: ImportText, new_database_url: Callable[[], str]
) -> None:
    names = ["김민지", "=HYPERLINK(1)", "'=1", "'t Hooft", 'a, "b"; c', "-", "@home", ""]
    with database.sessions.begin() as session:
        for number, name in enumerate(names):
            language, frequency = ("ko", "en", "both")[number % 3], ("weekly", "daily")[number % 2]
            add_subscriber(
                session,
                f"subscriber{number}@example.com",
                language=language,
                frequency=frequency,
                detail=("full", "brief")[number % 4 == 0],
                name=name,
                now=NOW - timedelta(days=number, microseconds=1),
            )
        add_subscriber(session, "=cmd+x@example.com")
        pause(add_subscriber(session, "-paused@example.com"), NOW, until=date(2025, 9, 1))
    text = export(database)
    assert not [line for line in text.splitlines() if line.startswith(("=", "+", "-", "@"))]
    other = open_database(new_database_url())
    assert import_text(text, into=other) == (ImportReport(added=10), [])
    assert all_subscribers(other) == all_subscribers(database)
    assert export(other).count("2025-09-01") == 1

    def confirmations(of: Database) -> list[datetime | None]:
        with of.sessions() as session:
            return list(session.scalars(select(Subscriber.confirmed_at).order_by(Subscriber.email)))

    assert confirmations(other) == confirmations(database)
    other.engine.dispose()


def test_only_those_who_are_subscribed_are_exported_unless_all_are_requested(
    database: Database, import_text: ImportText
) -> None:
    with database.sessions.begin() as session:
        add_subscriber(session, "active@example.com")
        pause(add_subscriber(session, "paused@example.com"), NOW)
        unsubscribe(add_subscriber(session, "left@example.com"), NOW)
        sign_up(session, "pending@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW)
    lines = export(database).splitlines()
    assert lines[0].split(",") == list(COLUMNS)
    assert [line.partition(",")[0] for line in lines[1:]] == ["active@example.com", "paused@example.com"]
    everyone = export(database, everyone=True)
    assert len(everyone.splitlines()) == 5
    delete_all_subscribers(database)
    report, rejected_rows = import_text(everyone)
    assert report == ImportReport(added=2, refused=2)
    assert {rejected.line for rejected in rejected_rows} == {4, 5}, (
        "nobody who left or did not confirm is added"
    )


def test_the_emptied_row_of_a_forgotten_subscriber_is_not_exported(database: Database) -> None:
    with database.sessions.begin() as session:
        forgotten = add_subscriber(session, "minji@example.com")
        # An emptied row stays as long as a mail that is not sent yet refers to it.
        forgotten.status = SubscriberStatus.FORGOTTEN
        add_subscriber(session, "jihoon@example.com")
    for everyone in (False, True):
        assert [line.partition(",")[0] for line in export(database, everyone=everyone).splitlines()] == [
            "email",
            "jihoon@example.com",
        ]


def test_every_subscriber_is_exported_once_across_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ROWS_PER_TRANSACTION", 2)
    with database.sessions.begin() as session:
        addresses = [add_subscriber(session, f"subscriber{number}@example.com").email for number in range(5)]
    assert [line.partition(",")[0] for line in export(database).splitlines()[1:]] == addresses


def test_a_slow_consumer_of_an_export_blocks_nobody(database: Database, tmp_path: Path) -> None:
    with database.sessions.begin() as session:
        add_subscriber(session, "a@example.com")
    lines = export_lines(database.sessions, everyone=False)
    next(lines)
    assert next(lines).startswith("a@example.com")
    with database.sessions.begin() as session:
        add_subscriber(session, "b@example.com")
    assert write_private(tmp_path / "rest.csv", lines) == 1
