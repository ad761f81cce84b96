"""Digests bring every subscriber the papers that are due, each once and in order."""

import re
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import EditionRow
from issues.parse.content import Link
from mailings.digest_run import run_digest, send_retries
from mailings.upkeep import run_upkeep
from subscribers.accounts import change, find
from tests.support.account_actions import DAY, PUBLISHED, WEEK, cursor_of, publish, subscribe
from tests.support.digests import bodies_of, digest
from tests.support.factories import (
    NOW,
    RULES,
    add_issue,
    add_subscriber,
    blocks,
    issue_of,
    paper,
    sending_context_at,
)
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer

# --- once and in order --------------------------------------------------------------


def test_every_subscriber_gets_the_digest_once_even_if_it_is_run_twice(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "a@example.com", "b@example.com")
    first, second = digest(database, server), digest(database, server)
    assert recipients(server) == ["a@example.com", "b@example.com"]
    assert (first.candidates, first.sent) == (2, 2)
    assert (second.candidates, second.sent, second.reasons) == (2, 0, {"planned earlier in this slot": 2})
    assert cursor_of(database, "a@example.com") == 3


def test_each_subscriber_gets_their_language_and_one_edition_serves_a_language(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "ko@example.com", "ko2@example.com")
    subscribe(database, "en@example.com", language="en")
    subscribe(database, "both@example.com", language="both")
    report = digest(database, server)
    assert sorted((edition["language"], edition["readers"]) for edition in report.editions) == [
        ("both", 1),
        ("en", 1),
        ("ko", 2),
    ]
    (korean,), (english,), (both,) = (
        bodies_of(server, f"{language}@example.com") for language in ("ko", "en", "both")
    )
    for text, shown in ((korean, (True, False)), (english, (False, True)), (both, (True, True))):
        assert ("초록입니다" in text, "This is the abstract" in text) == shown


def test_a_daily_subscriber_gets_the_issue_in_portions_and_then_no_mail(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 5)
    subscribe(database, "a@example.com", frequency="daily")
    reports = [digest(database, server, Frequency.DAILY, after=day * DAY) for day in range(4)]
    assert [report.sent for report in reports] == [1, 1, 1, 0]
    assert reports[-1].reasons == {"nothing new": 1}
    first, second, third = bodies_of(server, "a@example.com")
    assert "이번 주의 흐름입니다." in first
    assert "이번 주의 흐름입니다." not in second + third
    for number, text in ((1, first), (2, first), (3, second), (4, second), (5, third)):
        assert f"{number}번째 논문의 초록입니다." in text


def test_changing_language_and_frequency_within_an_issue_repeats_and_loses_no_paper(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 6)
    subscribe(database, "a@example.com", frequency="daily")
    digest(database, server, Frequency.DAILY)
    with database.sessions.begin() as session:
        subscriber = find(session, "a@example.com")
        assert subscriber
        change(session, subscriber, NOW, language=Language.BOTH, frequency=Frequency.WEEKLY)
    digest(database, server, Frequency.WEEKLY, after=DAY)
    first, second = bodies_of(server, "a@example.com")
    assert [number for number in range(1, 7) if f"{number}번째 논문의 초록입니다." in first] == [1, 2]
    assert [number for number in range(1, 7) if f"{number}번째 논문의 초록입니다." in second] == [3, 4, 5, 6]


def test_the_next_digest_waits_until_a_deferred_mail_has_arrived(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 4)
    subscribe(database, "a@example.com", frequency="daily")
    with ScriptedServer(on_rcpt="451 4.7.1 Later") as busy:
        digest(database, busy, Frequency.DAILY)
    waiting = digest(database, server, Frequency.DAILY, after=DAY)
    assert waiting.reasons == {"an earlier mail is still under way": 1}
    with sending_context_at(database, server, NOW + DAY) as context:
        assert send_retries(context, rules=RULES).sent == 1
    assert digest(database, server, Frequency.DAILY, after=2 * DAY).sent == 1
    first, second = bodies_of(server, "a@example.com")
    assert "1번째 논문의 초록입니다." in first
    assert "3번째 논문의 초록입니다." in second


# --- the quiet period ---------------------------------------------------------------


def test_upkeep_sends_papers_that_were_not_quiet_later_on_the_same_day(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database, "a@example.com", frequency="daily")
    with database.sessions.begin() as session:
        add_issue(session, now=NOW - timedelta(minutes=10))
    report = digest(database, server, Frequency.DAILY)
    assert (report.waiting, report.reasons) == (True, {"new papers still settle": 1})
    for after, sent in ((timedelta(minutes=15), 0), (timedelta(minutes=25), 1), (timedelta(minutes=40), 1)):
        with sending_context_at(database, server, NOW + after) as context:
            run_upkeep(context, local_now=NOW + after, rules=RULES)
        assert len(server.messages) == sent


def test_upkeep_starts_no_digest_of_its_own(database: Database, server: ScriptedServer) -> None:
    publish(database)
    subscribe(database, "a@example.com")
    with sending_context_at(database, server) as context:
        report = run_upkeep(context, local_now=NOW, rules=RULES)
    assert (report.late, server.messages) == ([], [])


def test_the_quiet_period_and_the_daily_papers_are_settings(
    database: Database, server: ScriptedServer
) -> None:
    publish(database, 10)
    subscribe(database, "a@example.com", frequency="daily")
    with sending_context_at(database, server) as context:
        report = run_digest(
            context,
            Frequency.DAILY,
            local_now=NOW,
            rules=replace(RULES, daily_papers=0, quiet_period=timedelta(days=2)),
        )
    assert report.reasons == {"new papers still settle": 1}
    with sending_context_at(database, server) as context:
        run_digest(context, Frequency.DAILY, local_now=NOW, rules=replace(RULES, daily_papers=0))
    (text,) = bodies_of(server, "a@example.com")
    assert text.count("번째 논문의 초록입니다.") == 10


# --- more papers than fit into a mail -----------------------------------------------


def test_papers_that_do_not_fit_into_one_mail_come_in_several(
    database: Database, server: ScriptedServer
) -> None:
    links = tuple(Link(f"https://a.example/{'x' * 450}{number}") for number in range(20))
    crowded = [paper(number, links=links) for number in range(1, 16)]
    with database.sessions.begin() as session:
        add_issue(session, issue_of(crowded), now=PUBLISHED)
    subscribe(database, "a@example.com")
    for week in range(5):
        digest(database, server, after=week * WEEK)
    texts = bodies_of(server, "a@example.com")
    assert len(texts) > 1
    with database.sessions() as session:
        numbers = [number for row in session.scalars(select(EditionRow)) for number in row.papers]
    assert numbers == list(range(1, 16))


def test_a_mail_has_only_papers_with_room_for_an_opening_and_the_next_has_the_rest(
    database: Database, server: ScriptedServer
) -> None:
    long = "이 논문은 긴 문장으로 스스로를 소개합니다. " * 20
    papers = [
        paper(n, intro_ko=blocks(f"N{n:02} {long}"), intro_en=blocks(f"E{n:02} " + "x y " * 200))
        for n in range(1, 36)
    ]
    with database.sessions.begin() as session:
        add_issue(session, issue_of(papers), now=PUBLISHED)
        add_subscriber(session, "minji@example.com", language="both", frequency="weekly")
    for week in range(10):
        digest(database, server, after=week * WEEK)
    opened: list[str] = []
    for body in bodies_of(server, "minji@example.com"):
        opened += (korean := re.findall(r"^N(\d\d) ", body, re.MULTILINE))
        assert korean == re.findall(r"^E(\d\d) ", body, re.MULTILINE)
    assert [int(number) for number in opened] == list(range(1, 36))
    assert len(server.messages) > 1
