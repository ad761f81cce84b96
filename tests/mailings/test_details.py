"""Every subscriber gets each mail with papers in the detail that they have chosen."""

from sqlalchemy import select

from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from delivery.models import Delivery, EditionRow
from mailings.resend.request import ResendGroup, ResendRequest
from subscribers.accounts import change, find
from subscribers.models import Subscriber
from tests.support.account_actions import DAY, confirm, fill_in_form, publish, subscribe
from tests.support.digests import bodies_of, digest
from tests.support.factories import NOW
from tests.support.resends import LATER, correct_paper, planned, resend
from tests.support.servers.smtp import ScriptedServer


def details_of_mails(database: Database, kind: str) -> dict[str, list[str]]:
    """The details of the mails of a kind that each subscriber got, in order."""
    rows = select(Subscriber.email, EditionRow.detail).join_from(Delivery, Subscriber).join(EditionRow)
    found: dict[str, list[str]] = {}
    with database.sessions() as session:
        for email, detail in session.execute(rows.where(EditionRow.kind == kind).order_by(Delivery.id)):
            found.setdefault(email, []).append(detail)
    return found


def test_one_edition_serves_all_with_the_same_language_and_detail(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "full@a.example", "full@b.example")
    subscribe(database, "brief@a.example", "brief@b.example", "brief@c.example", detail="brief")
    subscribe(database, "english@a.example", language="en", detail="brief")
    report = digest(database, server)
    entries = [(entry["language"], entry["detail"], entry["readers"]) for entry in report.editions]
    assert sorted(entries) == [("en", "brief", 1), ("ko", "brief", 3), ("ko", "full", 2)]
    assert all(
        details == [address.partition("@")[0].replace("english", "brief")]
        for address, details in details_of_mails(database, "digest").items()
    )


def test_changing_the_detail_within_an_issue_repeats_and_loses_no_paper(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 6)
    subscribe(database, "a@example.com", frequency="daily")
    for day, detail in enumerate((Detail.BRIEF, Detail.FULL, Detail.BRIEF)):
        digest(database, server, Frequency.DAILY, after=day * DAY)
        with database.sessions.begin() as session:
            subscriber = find(session, "a@example.com")
            assert subscriber
            change(session, subscriber, NOW, detail=detail)
    assert details_of_mails(database, "digest") == {"a@example.com": ["full", "brief", "full"]}
    texts = bodies_of(server, "a@example.com")
    papers = [[n for n in range(1, 7) if f"arxiv.org/abs/2508.{n:05}" in text] for text in texts]
    assert papers == [[1, 2], [3, 4], [5, 6]]


def test_a_new_subscriber_is_welcomed_in_the_detail_of_the_sign_up(database: Database) -> None:
    publish(database)
    for detail in Detail:
        fill_in_form(database, f"{detail}@example.com", detail=detail)
        confirm(database, f"{detail}@example.com")
    welcomes = {f"{detail}@example.com": [detail] for detail in Detail}
    assert details_of_mails(database, "welcome_digest") == welcomes


def test_copies_and_corrections_are_in_the_detail_that_each_has_now(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 4)
    subscribe(database, "full@a.example")
    subscribe(database, "brief@a.example", "brief@b.example", detail="brief")
    digest(database, server)
    everyone = ResendRequest(issue="2025-07-28", groups=(ResendGroup.EVERYONE,), reason="a trial")
    plan = planned(database, everyone).as_json()
    assert [(e["detail"], e["readers"]) for e in plan["editions"]] == [("brief", 2), ("full", 1)]
    assert resend(database, server, everyone).sent == 3
    correct_paper(database, 2, LATER + DAY)
    correction = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert resend(database, server, correction, LATER + 2 * DAY).sent == 3
    expected = {"full@a.example": ["full"], "brief@a.example": ["brief"], "brief@b.example": ["brief"]}
    assert details_of_mails(database, "copy") == details_of_mails(database, "correction") == expected
