"""An import of readers: whoever can be a reader becomes one, once; every other row has its reason."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from core.database import Database
from delivery.models import Delivery
from subscribers import transfer
from subscribers.accounts import find, forget, pause, sign_up, unsubscribe
from subscribers.csv_files import CsvError
from subscribers.models import AccountEvent, Subscriber
from subscribers.suppression import suppress
from subscribers.tokens import make_token, read_token
from subscribers.transfer import ImportReport, import_subscribers
from tests.support.csv_transfer import KEY, SEOUL, ImportText, all_subscribers, delete_all_subscribers
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

LATER = NOW + timedelta(days=1)
HEADER = "email,language,frequency,name,confirmed_at\n"


def rows_of(count: int, first: int = 0) -> str:
    return "".join(f"reader{n:05}@example.com,ko,weekly,,\n" for n in range(first, first + count))


# --- who comes in -------------------------------------------------------------------


def test_imported_subscribers_are_active_and_begin_with_the_latest_issue(
    database: Database, import_text: ImportText
) -> None:
    with database.sessions.begin() as session:
        add_issue(session, issue_of(3), topic_id=1)
        add_issue(session, issue_of(4, start=date(2025, 8, 4)), topic_id=2)
    report, told = import_text(
        HEADER
        + "Minji@Example.com,ko,weekly,김민지,2025-01-02T10:00\n"
        + " jihoon@예시.한국 , BOTH ,Daily,,2024-12-31T23:00:00+00:00\n"
        + "seoyeon@example.com,en,weekly,,\n"
    )
    assert (report, told) == (ImportReport(added=3), [])
    assert all_subscribers(database) == [
        ("Minji@example.com", "ko", "weekly", "김민지", "active"),
        ("jihoon@xn--vv4b11d.xn--3e0b707e", "both", "daily", "", "active"),
        ("seoyeon@example.com", "en", "weekly", "", "active"),
    ]
    with database.sessions() as session:
        agreed = {row.email[0]: row.confirmed_at for row in session.scalars(select(Subscriber))}
        assert agreed == {
            "M": datetime(2025, 1, 2, 1, 0, tzinfo=UTC),
            "j": datetime(2024, 12, 31, 23, 0, tzinfo=UTC),
            "s": NOW,
        }
        stood = select(Subscriber.cursor, Subscriber.created_at, Subscriber.ended_at).distinct()
        assert [tuple(row) for row in session.execute(stood)] == [(3, NOW, None)]
        assert session.scalar(select(func.count(Delivery.id))) == 0, "nobody is mailed by an import"


def test_the_account_event_names_the_imported_file(database: Database, import_text: ImportText) -> None:
    import_text(HEADER + "minji@example.com,ko,weekly,,2025-01-02\njihoon@example.com,en,daily,,\n")
    with database.sessions() as session:
        minji, jihoon = (find(session, f"{name}@example.com") for name in ("minji", "jihoon"))
        assert minji
        assert jihoon
        assert [(entry.what, entry.at, entry.detail) for entry in (*minji.events, *jihoon.events)] == [
            (
                "imported",
                NOW,
                {
                    "from": "readers.csv",
                    "language": "ko",
                    "frequency": "weekly",
                    "agreed": "2025-01-01T15:00:00+00:00",
                },
            ),
            ("imported", NOW, {"from": "readers.csv", "language": "en", "frequency": "daily"}),
        ]


def test_each_imported_subscriber_has_links_of_their_own(database: Database, import_text: ImportText) -> None:
    import_text(HEADER + rows_of(50))
    with database.sessions() as session:
        handles = session.scalars(select(Subscriber.handle)).all()
    assert len(set(handles)) == 50
    today = NOW.date()
    assert [
        read_token(KEY, "unsubscribe", make_token(KEY, "unsubscribe", each, today), today) for each in handles
    ] == handles


def test_a_paused_subscriber_is_imported_as_paused(database: Database, import_text: ImportText) -> None:
    import_text(
        "email,language,frequency,status,paused_until\n"
        "a@example.com,ko,weekly,paused,2025-09-01\n"
        "b@example.com,ko,weekly,Paused,\n"
        "c@example.com,ko,weekly,active,2025-09-01\n"
    )
    with database.sessions() as session:
        found = session.scalars(select(Subscriber).order_by(Subscriber.email)).all()
        assert [(row.status, row.paused_until) for row in found] == [
            ("paused", date(2025, 9, 1)),
            ("paused", None),
            ("active", None),
        ]


# --- who does not -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("minji,ko,weekly", "is not an address"),
        (",ko,weekly", "is not an address"),
        ("민지@example.com,ko,weekly", "letters before the @"),
        ("minji@example.com,fr,weekly", "language 'fr' is not one of ko, en, both"),
        ("minji@example.com,ko,hourly", "frequency 'hourly' is not one of weekly, daily"),
        ("minji@example.com", "language '' is not one of"),
        ("minji@example.com,ko,weekly,,soon", "confirmed_at 'soon' is no time"),
        ("minji@example.com,ko,weekly,,2025-08-04T08:00:01Z", "between 1990 and now"),
        ("minji@example.com,ko,weekly,,0001-01-01", "confirmed_at '0001-01-01'"),
        ("minji@example.com,ko,weekly,,,unsubscribed", "only those who read are taken"),
        ("minji@example.com,ko,weekly,,,bounced", "only those who read are taken"),
        ("minji@example.com,ko,weekly,,,pending", "only those who read are taken"),
        ("minji@example.com,ko,weekly,,,paused,soon", "paused_until 'soon' is no day"),
        ("minji@example.com,ko,weekly,,,,,extra", "more cells than columns"),
        ("returned@example.com,ko,weekly", "returned or refused"),
        ("Forgotten@Example.com,ko,weekly", "asked to be forgotten"),
        ("FIRST@example.com,en,daily", "the address is in line 2 already"),
    ],
)
def test_a_rejected_row_has_a_reason_and_the_other_rows_are_imported(
    database: Database, import_text: ImportText, row: str, reason: str
) -> None:
    with database.sessions.begin() as session:
        suppress(session, "returned@example.com", "returned", NOW)
        forget(session, add_subscriber(session, "forgotten@example.com"), KEY, NOW)
    header = "email,language,frequency,name,confirmed_at,status,paused_until\n"
    report, (rejected,) = import_text(
        f"{header}first@example.com,ko,weekly\n{row}\nlast@example.com,ko,weekly\n"
    )
    assert rejected.line == 3
    assert reason in rejected.reason
    assert "\n" not in rejected.reason
    assert report == ImportReport(added=2, refused=1)
    assert [each[0] for each in all_subscribers(database)] == ["first@example.com", "last@example.com"]


def test_rejected_rows_are_reported_in_the_order_of_the_file(database: Database, import_text: ImportText) -> None:
    with database.sessions.begin() as session:
        suppress(session, "returned@example.com", "returned", NOW)
        forget(session, add_subscriber(session, "forgotten@example.com"), KEY, NOW)
    names = ("nobody", "forgotten@example.com", "", "returned@example.com", "a@example.com", "nobody")
    _, told = import_text(HEADER + "".join(f"{name},ko,weekly,,\n" for name in names))
    assert [rejected.line for rejected in told] == [2, 3, 4, 5, 7]


def test_an_existing_subscription_stays_as_it_is(database: Database, import_text: ImportText) -> None:
    with database.sessions.begin() as session:
        add_subscriber(session, "Active@example.com", language="ko", frequency="weekly", name="김민지")
        pause(add_subscriber(session, "paused@example.com"), NOW)
        unsubscribe(add_subscriber(session, "left@example.com"), NOW)
        sign_up(session, "pending@example.com", language="ko", frequency="weekly", now=NOW)
        add_subscriber(session, "bounced@example.com")
        suppress(session, "bounced@example.com", "returned", NOW)
        forget(session, add_subscriber(session, "back@example.com"), KEY, NOW)
        add_subscriber(session, "back@example.com")
    before = all_subscribers(database)
    names = ("ACTIVE", "paused", "left", "pending", "bounced", "back")
    text = HEADER + "".join(f"{name}@example.com,en,daily,Mallory,\n" for name in names)
    assert import_text(text, now=LATER) == (ImportReport(known=6), [])
    assert all_subscribers(database) == before
    with database.sessions() as session:
        assert "imported" not in set(session.scalars(select(AccountEvent.what)))


def test_a_rejected_row_does_not_block_a_valid_row_with_the_same_address(
    database: Database, import_text: ImportText
) -> None:
    report, (rejected,) = import_text(HEADER + "a@example.com,fr,weekly\na@example.com,en,weekly\n")
    assert (report, rejected.line) == (ImportReport(added=1, refused=1), 2)
    assert all_subscribers(database) == [("a@example.com", "en", "weekly", "", "active")]


def test_a_sign_up_during_an_import_stays_as_it_is(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(session: Session, *_: object) -> Iterator[tuple[str, str]]:
        sign_up(session, "a@example.com", language="ko", frequency="weekly", now=NOW, origin="form")
        return iter(())

    monkeypatch.setattr(transfer, "_barred", meanwhile)
    report, _ = import_text(HEADER + "a@example.com,en,daily,,\nb@example.com,en,daily,,\n")
    assert report == ImportReport(added=1, known=1)
    assert [row[1:] for row in all_subscribers(database)] == [
        ("ko", "weekly", "", "pending"),
        ("en", "daily", "", "active"),
    ]


# --- large files, stops and repeats -------------------------------------------------


def test_repeating_an_import_adds_nobody(database: Database, import_text: ImportText) -> None:
    text = HEADER + rows_of(30) + "nobody,ko,weekly\n" + rows_of(1)
    assert import_text(text)[0] == ImportReport(added=30, refused=2)
    before = all_subscribers(database)
    assert import_text(text, now=LATER)[0] == ImportReport(known=30, refused=2)
    assert all_subscribers(database) == before


def test_a_repeated_address_is_found_however_far_apart_its_lines_are(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH", 10)
    report, told = import_text(HEADER + rows_of(25) + rows_of(5) + rows_of(1, first=25))
    assert report == ImportReport(added=26, refused=5)
    assert [(rejected.line, rejected.reason[-9:]) for rejected in told] == [
        (line, f"{line - 25:>2} already"[-9:]) for line in range(27, 32)
    ]
    assert len(all_subscribers(database)) == 26


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Ends the process before the statement of a number; 0 is never."""

    def __init__(self, database: Database) -> None:
        self.remaining = 0
        event.listen(database.engine, "before_cursor_execute", self.burn)

    def burn(self, *_: object) -> None:
        self.remaining -= 1
        if self.remaining == 0:
            raise Crash


def test_a_crash_stores_no_incomplete_subscriber_and_a_repetition_adds_the_rest(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH", 4)
    text, fuse = HEADER + rows_of(10), Fuse(database)
    seen: set[int] = set()
    for at in range(1, 100):
        delete_all_subscribers(database)
        fuse.remaining = at
        try:
            import_text(text)
        except Crash:
            fuse.remaining = 0
        else:
            assert seen == {0, 4, 8}, "it was stopped in each of the three batches"
            return
        with database.sessions() as session:
            stored = session.scalar(select(func.count(Subscriber.id))) or 0
            assert session.scalar(select(func.count(AccountEvent.id))) == stored
        seen.add(stored)
        assert import_text(text)[0] == ImportReport(added=10 - stored, known=stored)
        assert len(all_subscribers(database)) == 10
    pytest.fail("no run came to its end")


def test_the_number_of_statements_does_not_grow_with_the_number_of_rows(
    database: Database, import_text: ImportText
) -> None:
    counted = []
    for count in (10, 1000):
        statements: list[str] = []

        def note(
            _connection: Any, _cursor: Any, statement: str, *_: Any, into: list[str] = statements
        ) -> None:
            into.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        assert import_text(HEADER + rows_of(count, first=count))[0].added == count
        event.remove(database.engine, "before_cursor_execute", note)
        counted.append(len(statements))
    assert counted[1] <= counted[0] + 1


@pytest.mark.parametrize(
    "end", [b"\xff\xfe,ko,weekly\n", b'"unclosed@example.com,ko,weekly\n', b"x" * 70_000]
)
def test_a_file_with_a_mistake_only_at_its_end_stores_nobody(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    monkeypatch.setattr(transfer, "BATCH", 5)
    with pytest.raises(CsvError):
        import_text((HEADER + rows_of(50)).encode() + end)
    assert all_subscribers(database) == []


def test_a_file_that_is_missing_or_lacks_columns_stores_nobody(
    database: Database, import_text: ImportText, tmp_path: Path
) -> None:
    with pytest.raises(CsvError, match="frequency"):
        import_text("email,language\nminji@example.com,ko\n")
    with pytest.raises(CsvError, match="No such file"):
        import_subscribers(
            database.sessions, tmp_path / "no.csv", key=KEY, now=NOW, zone=SEOUL, on_refusal=print
        )
    assert all_subscribers(database) == []
