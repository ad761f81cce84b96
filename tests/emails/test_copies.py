"""A copy by hand: the whole issue, to one active reader, once, and nothing else changes."""

from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from making import NOW, RULES, issue_of, office_at, reader, stored_issue
from smtp_server import ScriptedServer
from sqlalchemy import select

from core.database import Database
from emails.copies import resend
from emails.edition import EmptyIssueError
from emails.models import Delivery
from emails.report import DigestReport
from issues.models import Issue
from issues.store import whole_issue
from subscribers.accounts import AccountError, find, pause


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


@pytest.fixture
def issue(database: Database) -> Issue:
    """An issue of four papers, with a daily reader who has read two of them, and one who takes a break."""
    with database.sessions.begin() as session:
        stored = stored_issue(session, issue_of(4))
        reader(session, "minji@example.com", language="both", frequency="daily").cursor = 2
        pause(reader(session, "paused@example.com"), NOW)
        return stored


def copy_to(
    database: Database, server: ScriptedServer, issue: Issue, address: str, *, dry_run: bool = False
) -> DigestReport:
    with database.sessions() as session:
        papers = whole_issue(session.merge(issue))
    with office_at(database, server) as office:
        return resend(office, issue, papers, address, now=NOW, rules=RULES, dry_run=dry_run)


def deliveries(database: Database) -> list[str]:
    with database.sessions() as session:
        return [delivery.state for delivery in session.scalars(select(Delivery))]


def test_a_copy_brings_the_whole_issue_in_the_readers_language_and_moves_no_cursor(
    database: Database, server: ScriptedServer, issue: Issue
) -> None:
    report = copy_to(database, server, issue, "Minji@example.com")
    assert (report.candidates, report.sent, report.balances) == (1, 1, True)
    (message,) = server.messages
    body = message_from_bytes(message.data, policy=modern_policy).get_body(("plain",))
    assert body
    for number in range(1, 5):
        assert f"{number}번째 논문의 초록입니다." in body.get_content()
        assert f"This is the abstract of paper {number}." in body.get_content()
    with database.sessions() as session:
        known = find(session, "minji@example.com")
        assert known
        assert known.cursor == 2


def test_a_second_copy_is_asked_for_and_sent(
    database: Database, server: ScriptedServer, issue: Issue
) -> None:
    reports = [copy_to(database, server, issue, "minji@example.com") for _ in range(2)]
    assert [report.sent for report in reports] == [1, 1]
    assert len({report.slot for report in reports}) == 2


def test_a_copy_that_a_stopped_run_left_is_sent_in_place_of_a_second_one(
    database: Database, server: ScriptedServer, issue: Issue
) -> None:
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        stopped = copy_to(database, refusing, issue, "minji@example.com")
    assert (stopped.planned, stopped.sent) == (1, 0)
    again = copy_to(database, server, issue, "minji@example.com")
    assert (again.slot, again.sent) == (stopped.slot, 1)
    assert deliveries(database) == ["sent"]


def test_a_dry_run_of_a_copy_sends_and_stores_nothing(
    database: Database, server: ScriptedServer, issue: Issue
) -> None:
    report = copy_to(database, server, issue, "minji@example.com", dry_run=True)
    assert (report.planned, report.balances) == (1, True)
    assert report.editions[0]["papers"] == 4
    assert server.messages == []
    assert deliveries(database) == []


@pytest.mark.parametrize("address", ["stranger@example.com", "paused@example.com"])
def test_nobody_but_an_active_reader_gets_a_copy(
    database: Database, server: ScriptedServer, issue: Issue, address: str
) -> None:
    with pytest.raises(AccountError, match="only active readers are mailed"):
        copy_to(database, server, issue, address)
    assert server.messages == []


def test_an_issue_without_papers_cannot_be_sent_by_hand(
    database: Database, server: ScriptedServer, issue: Issue
) -> None:
    with office_at(database, server) as office, pytest.raises(EmptyIssueError, match="no paper in force"):
        resend(office, issue, [], "minji@example.com", now=NOW, rules=RULES, dry_run=False)
    assert deliveries(database) == []
