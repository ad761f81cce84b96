"""What tests of digests share: issues published, readers who subscribed, digests, and what each reader got."""

from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default as modern_policy

from corresponding import PUBLISHED
from making import NOW, RULES, issue_of, office_at, reader, stored_issue
from smtp_server import ScriptedServer

from core.database import Database
from emails.digests import run_digest
from emails.report import DigestReport


def publish(database: Database, papers: int = 3, *, topic_id: int = 9001, days: int = 0) -> None:
    with database.sessions.begin() as session:
        issue = issue_of(papers, start=date(2025, 7, 28) + timedelta(days=days))
        stored_issue(session, issue, topic_id=topic_id, now=PUBLISHED + timedelta(days=days))


def subscribe(database: Database, *addresses: str, language: str = "ko", frequency: str = "weekly") -> None:
    with database.sessions.begin() as session:
        for address in addresses:
            reader(session, address, language=language, frequency=frequency)


def digest(
    database: Database, server: ScriptedServer, frequency: str = "weekly", *, after: timedelta = timedelta()
) -> DigestReport:
    now = NOW + after
    with office_at(database, server, now) as office:
        report = run_digest(office, frequency, local_now=now, rules=RULES)
    assert report.balances
    return report


def stopped_digest(database: Database) -> DigestReport:
    """A digest that is planned, and then stops as the server refuses the sender."""
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        return digest(database, refusing)


def bodies_of(server: ScriptedServer, address: str) -> list[str]:
    """The text parts that one reader got, in order."""
    texts = []
    for message in server.messages:
        if message.rcpt == [address]:
            part = message_from_bytes(message.data, policy=modern_policy).get_body(("plain",))
            assert part
            texts.append(part.get_content())
    return texts
