"""An edit is seen for what it is: papers restored, renamed, reordered, and posts deleted."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.frequencies import Frequency
from issues.queries import find
from mailings import intake
from mailings.digest_run import run_digest, send_retries
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendRequest
from subscribers import accounts
from subscribers.models import Subscriber
from tests.support.factories import IDENTITY, RULES, add_subscriber, sending_context_at
from tests.support.posted import paper, take, weekly_post
from tests.support.resends import resend
from tests.support.servers.smtp import ScriptedServer

SUNDAY = datetime(2026, 6, 21, 22, 0, tzinfo=UTC)
MORNING = SUNDAY + timedelta(hours=1)
DAY = timedelta(days=1)
OVERVIEW = "이번 주에는 작은 모델을 다룬 논문이 많습니다."
OWL, HAWK, KITE = paper("Owl"), paper("Hawk"), paper("Kite")


@pytest.fixture(autouse=True)
def _without_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "faults_of", lambda *_issues, **_rules: {})


def daily(database: Database, server: ScriptedServer, day: int) -> list[tuple[str, list[str]]]:
    """Send the daily digest of a day. Returns who got which papers."""
    before = len(server.messages)
    now = MORNING + day * DAY
    with sending_context_at(database, server, now) as context:
        run_digest(context, Frequency.DAILY, local_now=now, rules=RULES)
    sent = server.messages[before:]
    names = ("Owl", "Hawk", "Kite")
    texts = [(message.rcpt[0], text_of(message.data)) for message in sent]
    return sorted(
        (to, [name for name in names if re.search(rf"(?m)^ +\d+\. {name} Paper", text)]) for to, text in texts
    )


def text_of(data: bytes) -> str:
    body = message_from_bytes(data, policy=policy.default).get_body(("plain",))
    assert body
    return str(body.get_content())


def subscribe(database: Database, *addresses: str, language: str = "en") -> None:
    with database.sessions.begin() as session:
        for address in addresses:
            add_subscriber(session, address, language=language, frequency="daily", now=SUNDAY)


def test_a_restored_paper_reaches_everyone_who_lacks_it_and_nobody_twice(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK), at=SUNDAY)
    subscribe(database, "early@example.com", "late@example.com")
    with database.sessions.begin() as session:
        late = accounts.find(session, "late@example.com")
        assert late
        accounts.pause(late, SUNDAY)
    assert daily(database, server, 0) == [("early@example.com", ["Owl", "Hawk"])]
    take(database, weekly_post(OWL), at=MORNING + DAY / 2)
    with database.sessions.begin() as session:
        late = accounts.find(session, "late@example.com")
        assert late
        accounts.resume(late, MORNING)
    assert daily(database, server, 1) == [("late@example.com", ["Owl"])]
    report = take(database, weekly_post(OWL, HAWK), at=MORNING + 1.5 * DAY)
    assert report.changed[0]["restored"] == ("Hawk Paper",)
    assert daily(database, server, 2) == [("late@example.com", ["Hawk"])]
    assert daily(database, server, 3) == []


def test_a_restored_paper_reaches_only_those_who_lack_it_among_all_who_have_read_as_far(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK), at=SUNDAY)
    subscribe(database, "early@example.com")
    assert daily(database, server, 0) == [("early@example.com", ["Owl", "Hawk"])]
    take(database, weekly_post(OWL), at=MORNING + DAY / 2)
    subscribe(database, "new@example.com")
    with database.sessions.begin() as session:
        session.execute(update(Subscriber).values(cursor=2))
    take(database, weekly_post(OWL, HAWK), at=MORNING + 1.5 * DAY)
    assert daily(database, server, 2) == [("new@example.com", ["Hawk"])]


@pytest.mark.parametrize(
    ("absence", "mailed"), [(timedelta(weeks=8), True), (timedelta(weeks=8, seconds=1), False)]
)
def test_a_paper_restored_after_more_than_eight_weeks_is_for_the_archive(
    database: Database, server: ScriptedServer, absence: timedelta, mailed: bool
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Hawk"])]
    withdrawn_at = MORNING + DAY / 2
    take(database, weekly_post(OWL, HAWK), at=withdrawn_at)
    report = take(database, weekly_post(OWL, HAWK, KITE), at=withdrawn_at + absence)
    assert report.changed[0]["restored"] == ("Kite Paper",)
    assert daily(database, server, 57) == ([("minji@example.com", ["Kite"])] if mailed else [])
    with database.sessions() as session:
        assert [paper.archived for paper in find(session, "9001").papers] == [False, False, not mailed]


def test_a_post_that_moves_to_another_address_repeats_no_paper_and_is_linked_there(
    database: Database, server: ScriptedServer
) -> None:
    post = weekly_post(OWL, HAWK, KITE)
    take(database, post, at=SUNDAY)
    subscribe(database, "minji@example.com")
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Hawk"])]
    moved = "https://forum.example/t/another-name/9001"
    report = take(database, replace(post, url=moved), at=MORNING + DAY / 2)
    assert (report.new, report.held, report.deleted) == ([], [], [])
    assert daily(database, server, 1) == [("minji@example.com", ["Kite"])]
    assert moved in text_of(server.messages[-1].data)


def test_a_paper_whose_title_and_address_change_is_still_the_same(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK), at=SUNDAY)
    subscribe(database, "minji@example.com")
    daily(database, server, 0)
    renamed = HAWK.replace("Hawk 논문 / Hawk Paper", "매 / Falcon").replace(
        "arxiv.org/abs/", "openreview.net/"
    )
    (changed,) = take(database, weekly_post(OWL, renamed), at=MORNING + DAY / 2).changed
    assert (changed["added"], changed["withdrawn"]) == ((), ())
    assert {change["field"] for change in changed["retitled"]} == {"title_ko", "title_en"}
    assert [change["field"] for change in changed["corrected"]] == ["url"]
    assert daily(database, server, 1) == []


def test_a_corrected_title_is_sent_to_those_who_got_the_old_one(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK), at=SUNDAY)
    subscribe(database, "minji@example.com")
    daily(database, server, 0)
    retitled = HAWK.replace("Hawk Paper", "Hawk Paper with Wings")
    (changed,) = take(database, weekly_post(OWL, retitled), at=MORNING + DAY / 2).changed
    assert (bool(changed["retitled"]), bool(changed["corrected"])) == (True, False)
    request = ResendRequest(issue="9001", is_correction=True, reason="the title was wrong")
    assert resend(database, server, request, MORNING + DAY).sent == 1
    _, correction = (text_of(message.data) for message in server.messages)
    assert "Hawk Paper → Hawk Paper with Wings" in " ".join(correction.split())
    assert "Owl Paper" not in correction


def test_a_correction_marks_the_sentences_that_are_new_since_a_subscriber_first_got_the_paper(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL), at=SUNDAY)
    subscribe(database, "minji@example.com")
    daily(database, server, 0)
    once = OWL.replace("The abstract of Owl.", "The abstract of Owl. It has wings.")
    take(database, weekly_post(once), at=MORNING + DAY / 2)
    take(database, weekly_post(once.replace("It has wings.", "It has wings. It flies.")), at=MORNING + DAY)
    request = ResendRequest(issue="9001", is_correction=True, reason="the abstract was cut")
    assert resend(database, server, request, MORNING + 2 * DAY).sent == 1
    assert ">> It has wings. << >> It flies. <<" in " ".join(text_of(server.messages[-1].data).split())


def test_an_overview_that_was_read_does_not_come_again_after_its_papers_are_withdrawn(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com", language="ko")
    daily(database, server, 0)
    take(database, weekly_post(KITE), at=MORNING + DAY / 2)
    daily(database, server, 1)
    first, second = (text_of(message.data) for message in server.messages)
    assert ("Owl 논문" in first, "Kite 논문" in second) == (True, True)
    assert (OVERVIEW in first, OVERVIEW in second) == (True, False)


def test_papers_reordered_before_anyone_got_them_are_mailed_in_the_new_order(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    take(database, weekly_post(KITE, OWL, HAWK), at=SUNDAY + timedelta(minutes=10))
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Kite"])]
    assert daily(database, server, 1) == [("minji@example.com", ["Hawk"])]


def test_papers_stay_in_their_order_while_a_mail_under_way_may_not_be_sent(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Hawk"])]
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        assert daily(database, refusing, 1) == []
    take(database, weekly_post(KITE, OWL, HAWK), at=MORNING + 1.5 * DAY)
    with database.sessions.begin() as session:
        subscriber = session.scalars(select(Subscriber)).one()
        accounts.pause(subscriber, MORNING + 1.6 * DAY)
    with sending_context_at(database, server, MORNING + 1.7 * DAY) as context:
        assert send_retries(context, rules=RULES).skipped == 1
    with database.sessions.begin() as session:
        accounts.resume(session.scalars(select(Subscriber)).one(), MORNING + 1.8 * DAY)
    assert daily(database, server, 2) == [("minji@example.com", ["Kite"])]


def test_the_papers_of_a_deleted_post_are_not_mailed_any_further(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Hawk"])]
    report = take(database, at=MORNING + DAY / 2, gone=[9001])
    assert [entry["topic_id"] for entry in report.deleted] == [9001]
    assert daily(database, server, 1) == []
    take(database, weekly_post(OWL, HAWK, KITE), at=MORNING + 1.5 * DAY)
    assert daily(database, server, 2) == [("minji@example.com", ["Kite"])]


def test_a_deleted_post_that_comes_back_with_a_doubt_brings_what_was_in_force(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    assert daily(database, server, 0) == [("minji@example.com", ["Owl", "Hawk"])]
    take(database, at=MORNING + DAY / 2, gone=[9001])
    without_title = KITE[KITE.index("</h2>") + len("</h2>") :]
    report = take(database, weekly_post(OWL, HAWK, without_title), at=MORNING + 1.5 * DAY)
    assert [entry["topic_id"] for entry in report.held] == [9001]
    assert daily(database, server, 2) == [("minji@example.com", ["Kite"])]


def test_a_post_that_lost_a_paper_when_it_was_deleted_comes_back(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL, HAWK, KITE), at=SUNDAY)
    subscribe(database, "minji@example.com")
    take(database, weekly_post(OWL, HAWK), at=SUNDAY + DAY / 4)
    take(database, at=SUNDAY + DAY / 4, gone=[9001])
    report = take(database, weekly_post(OWL, HAWK), at=SUNDAY + DAY / 2)
    assert [entry["topic_id"] for entry in report.changed] == [9001]
    assert daily(database, server, 1)[0][1][:2] == ["Owl", "Hawk"]


def test_a_corrected_address_counts_as_a_correction(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(OWL, HAWK), at=SUNDAY)
    take(sqlite_database, weekly_post(OWL, HAWK.replace("2606.", "2607.")), at=MORNING)
    with sqlite_database.sessions() as session:
        papers = find(session, "9001").papers
        assert [paper.corrected_at is not None for paper in papers] == [False, True]


def test_a_parser_that_reads_the_same_post_in_another_way_corrects_nothing(sqlite_database: Database) -> None:
    take(sqlite_database, weekly_post(OWL, HAWK), at=SUNDAY)
    with sqlite_database.sessions.begin() as session:
        issue = find(session, "9001")
        revision = issue.revisions[-1]
        content = dict(revision.content)
        content["overview"] = []  # as an older version had read it
        revision.content = content
    report = take(sqlite_database, weekly_post(OWL, HAWK), at=MORNING)
    assert len(report.unchanged) == 1
    with sqlite_database.sessions() as session:
        issue = find(session, "9001")
        assert issue.revisions[-1].content["overview"] != []
        assert [paper.corrected_at for paper in issue.papers] == [None, None]


def test_a_correction_goes_only_to_those_in_whose_language_something_changed(
    database: Database, server: ScriptedServer
) -> None:
    take(database, weekly_post(OWL), at=SUNDAY)
    subscribe(database, "minji@example.com", language="ko")
    subscribe(database, "john@example.com", language="en")
    daily(database, server, 0)
    take(database, weekly_post(paper("Owl", words="덧붙인 말입니다.")), at=MORNING + DAY / 2)
    request = ResendRequest(issue="9001", is_correction=True, reason="a sentence was missing")
    with database.sessions() as session:
        left_out = plan_resend(session, request, IDENTITY, MORNING + DAY).as_json()["left_out"]
    assert left_out == {"nothing has changed in their language": 1}
    assert resend(database, server, request, MORNING + DAY).sent == 1
    assert server.messages[-1].rcpt[0] == "minji@example.com"
