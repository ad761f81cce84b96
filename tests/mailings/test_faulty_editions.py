"""A mail that cannot be rendered costs only its own readers their mail, and only until its text is corrected."""

from datetime import date, timedelta

from core.database import Database
from mailings.upkeep import run_upkeep
from monitoring.attention import attention_items
from tests.support.account_actions import PUBLISHED, WEEK, cursor_of, publish, subscribe
from tests.support.digests import bodies_of, digest
from tests.support.factories import NOW, RULES, add_issue, blocks, issue_of, paper, sending_context_at
from tests.support.outbox import recipients
from tests.support.servers.smtp import ScriptedServer


def publish_faulty(database: Database) -> None:
    """Store an issue whose Korean text has a character that no mail can hold. Its English text is good."""
    faulty = issue_of([paper(1, intro_ko=blocks("\x0b 글"))], start=date(2025, 7, 28))
    with database.sessions.begin() as session:
        add_issue(session, faulty, now=PUBLISHED)


def test_an_edition_that_cannot_be_rendered_stops_no_other_edition(
    database: Database, server: ScriptedServer
) -> None:
    publish_faulty(database)
    subscribe(database, "ko@example.com", "ko2@example.com")
    subscribe(database, "en@example.com", language="en")
    report = digest(database, server)
    assert recipients(server) == ["en@example.com"]
    assert (report.candidates, report.sent, report.reasons) == (3, 1, {"their mail cannot be rendered": 2})
    assert "the mail in ko with papers of" in report.fault
    assert cursor_of(database, "ko@example.com") == 0, "they wait for the papers"


def test_an_issue_that_cannot_be_rendered_holds_up_the_next_issue_only_until_the_next_upkeep(
    database: Database, server: ScriptedServer
) -> None:
    publish_faulty(database)
    subscribe(database, "ko@example.com")
    assert digest(database, server).sent == 0
    publish(database, 2, topic_id=9002, days=7)
    assert digest(database, server, after=WEEK).sent == 0
    soon = NOW + WEEK + timedelta(minutes=15)
    with sending_context_at(database, server, soon) as context:
        (late,) = run_upkeep(context, local_now=soon, rules=RULES).late
    assert (late.sent, late.fault) == (1, "")
    (text,) = bodies_of(server, "ko@example.com")
    assert "2번째 논문의 초록입니다." in text


def test_an_edition_that_cannot_be_rendered_needs_attention(
    database: Database, server: ScriptedServer
) -> None:
    publish_faulty(database)
    subscribe(database, "ko@example.com")
    digest(database, server)
    with database.sessions() as session:
        (item,) = attention_items(session, NOW, 5)
    assert "the mail in ko with papers of" in item.what
