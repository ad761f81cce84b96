"""An import adds everyone in a file who can be added, once, and rejects every other row with a reason."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery
from subscribers import transfer
from subscribers.accounts import find, pause, sign_up, unsubscribe
from subscribers.erasure import forget
from subscribers.models import AccountEvent, Subscriber
from subscribers.suppression import suppress
from subscribers.tokens import LinkPurpose, make_token, read_token
from subscribers.transfer import ImportReport
from tests.support.csv_transfer import CSV_HEADER, KEY, ImportText, all_subscribers, csv_rows
from tests.support.factories import NOW, add_issue, add_subscriber, issue_of

LATER = NOW + timedelta(days=1)


# --- added rows ---------------------------------------------------------------------


def test_imported_subscribers_are_active_and_begin_with_the_latest_issue(
    database: Database, import_text: ImportText
) -> None:
    with database.sessions.begin() as session:
        add_issue(session, issue_of(3), topic_id=1)
        add_issue(session, issue_of(4, start=date(2025, 8, 4)), topic_id=2)
    report, rejected_rows = import_text(
        CSV_HEADER
        + "Minji@Example.com,ko,weekly,김민지,2025-01-02T10:00\n"
        + " jihoon@예시.한국 , BOTH ,Daily,,2024-12-31T23:00:00+00:00\n"
        + "seoyeon@example.com,en,weekly,,\n"
    )
    assert (report, rejected_rows) == (ImportReport(added=3), [])
    assert all_subscribers(database) == [
        ("Minji@example.com", "ko", "weekly", "full", "김민지", "active"),
        ("jihoon@xn--vv4b11d.xn--3e0b707e", "both", "daily", "full", "", "active"),
        ("seoyeon@example.com", "en", "weekly", "full", "", "active"),
    ]
    with database.sessions() as session:
        confirmations = {row.email[0]: row.confirmed_at for row in session.scalars(select(Subscriber))}
        assert confirmations == {
            "M": datetime(2025, 1, 2, 1, 0, tzinfo=UTC),
            "j": datetime(2024, 12, 31, 23, 0, tzinfo=UTC),
            "s": NOW,
        }
        rows = select(Subscriber.cursor, Subscriber.created_at, Subscriber.ended_at).distinct()
        assert [tuple(row) for row in session.execute(rows)] == [(3, NOW, None)]
        assert session.scalar(select(func.count(Delivery.id))) == 0, "an import mails nobody"


def test_the_account_event_names_the_imported_file(database: Database, import_text: ImportText) -> None:
    import_text(CSV_HEADER + "minji@example.com,ko,weekly,,2025-01-02\njihoon@example.com,en,daily,,\n")
    with database.sessions() as session:
        minji, jihoon = (find(session, f"{name}@example.com") for name in ("minji", "jihoon"))
        assert minji
        assert jihoon
        assert [(entry.what, entry.at, entry.detail) for entry in (*minji.events, *jihoon.events)] == [
            (
                "imported",
                NOW,
                {
                    "from": "subscribers.csv",
                    "language": "ko",
                    "frequency": "weekly",
                    "detail": "full",
                    "agreed": "2025-01-01T15:00:00+00:00",
                },
            ),
            (
                "imported",
                NOW,
                {"from": "subscribers.csv", "language": "en", "frequency": "daily", "detail": "full"},
            ),
        ]


def test_each_imported_subscriber_has_links_of_their_own(database: Database, import_text: ImportText) -> None:
    import_text(CSV_HEADER + csv_rows(50))
    with database.sessions() as session:
        handles = session.scalars(select(Subscriber.handle)).all()
    assert len(set(handles)) == 50
    today = NOW.date()
    assert [
        read_token(
            KEY, LinkPurpose.UNSUBSCRIBE, make_token(KEY, LinkPurpose.UNSUBSCRIBE, handle, today), today
        )
        for handle in handles
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


# --- rejected and known rows --------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("minji,ko,weekly", "is not an address"),
        (",ko,weekly", "is not an address"),
        ("민지@example.com,ko,weekly", "letters before the @"),
        ("minji@example.com,fr,weekly", "language 'fr' is not one of ko, en, both"),
        ("minji@example.com,ko,hourly", "frequency 'hourly' is not one of weekly, daily"),
        ("minji@example.com", "language '' is not one of"),
        ("minji@example.com,ko,weekly,,soon", "confirmed_at 'soon' is not a time"),
        ("minji@example.com,ko,weekly,,2025-08-04T08:00:01Z", "between 1990 and now"),
        ("minji@example.com,ko,weekly,,0001-01-01", "confirmed_at '0001-01-01'"),
        ("minji@example.com,ko,weekly,,,unsubscribed", "only active and paused subscribers are imported"),
        ("minji@example.com,ko,weekly,,,bounced", "only active and paused subscribers are imported"),
        ("minji@example.com,ko,weekly,,,pending", "only active and paused subscribers are imported"),
        ("minji@example.com,ko,weekly,,,paused,soon", "paused_until 'soon' is not a day"),
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
    assert [row[0] for row in all_subscribers(database)] == ["first@example.com", "last@example.com"]


def test_rejected_rows_are_reported_in_the_order_of_the_file(
    database: Database, import_text: ImportText
) -> None:
    with database.sessions.begin() as session:
        suppress(session, "returned@example.com", "returned", NOW)
        forget(session, add_subscriber(session, "forgotten@example.com"), KEY, NOW)
    names = ("nobody", "forgotten@example.com", "", "returned@example.com", "a@example.com", "nobody")
    _, rejected_rows = import_text(CSV_HEADER + "".join(f"{name},ko,weekly,,\n" for name in names))
    assert [rejected.line for rejected in rejected_rows] == [2, 3, 4, 5, 7]


def test_an_existing_subscription_stays_as_it_is(database: Database, import_text: ImportText) -> None:
    with database.sessions.begin() as session:
        add_subscriber(session, "Active@example.com", language="ko", frequency="weekly", name="김민지")
        pause(add_subscriber(session, "paused@example.com"), NOW)
        unsubscribe(add_subscriber(session, "left@example.com"), NOW)
        sign_up(session, "pending@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW)
        add_subscriber(session, "bounced@example.com")
        suppress(session, "bounced@example.com", "returned", NOW)
        forget(session, add_subscriber(session, "back@example.com"), KEY, NOW)
        add_subscriber(session, "back@example.com")
    before = all_subscribers(database)
    names = ("ACTIVE", "paused", "left", "pending", "bounced", "back")
    text = CSV_HEADER + "".join(f"{name}@example.com,en,daily,Mallory,\n" for name in names)
    assert import_text(text, now=LATER) == (ImportReport(known=6), [])
    assert all_subscribers(database) == before
    with database.sessions() as session:
        assert "imported" not in set(session.scalars(select(AccountEvent.what)))


def test_a_rejected_row_does_not_block_a_valid_row_with_the_same_address(
    database: Database, import_text: ImportText
) -> None:
    report, (rejected,) = import_text(CSV_HEADER + "a@example.com,fr,weekly\na@example.com,en,weekly\n")
    assert (report, rejected.line) == (ImportReport(added=1, refused=1), 2)
    assert all_subscribers(database) == [("a@example.com", "en", "weekly", "full", "", "active")]


def test_a_sign_up_during_an_import_stays_as_it_is(
    database: Database, import_text: ImportText, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign_up_meanwhile(session: Session, *_: object) -> Iterator[tuple[str, str]]:
        sign_up(
            session, "a@example.com", language=Language.KO, frequency=Frequency.WEEKLY, now=NOW, origin="form"
        )
        return iter(())

    monkeypatch.setattr(transfer, "_barred", sign_up_meanwhile)
    report, _ = import_text(CSV_HEADER + "a@example.com,en,daily,,\nb@example.com,en,daily,,\n")
    assert report == ImportReport(added=1, known=1)
    assert [row[1:] for row in all_subscribers(database)] == [
        ("ko", "weekly", "full", "", "pending"),
        ("en", "daily", "full", "", "active"),
    ]


def test_a_file_may_name_the_detail_and_a_row_that_names_none_gets_full_mails(
    database: Database, import_text: ImportText
) -> None:
    report, rejected = import_text(
        "email,language,frequency,detail\n"
        "a@example.com,ko,weekly,Brief\n"
        "b@example.com,ko,weekly,\n"
        "c@example.com,ko,weekly,long\n"
    )
    assert (report, [row.line for row in rejected]) == (ImportReport(added=2, refused=1), [4])
    assert rejected[0].reason == "detail 'long' is not one of full, brief"
    assert [row[3] for row in all_subscribers(database)] == ["brief", "full"]
