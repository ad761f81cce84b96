"""Years of weekly digests as the rows that they leave, made set by set: issues, editions, mails, bounces and runs.

Of a thousand mails six have failed (five of them by a bounce), two are uncertain and four were skipped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, select, text

from bench.databases import HTML_BYTES, TEXT_BYTES, add_subscribers
from core.database import Database
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from core.run_log import RunKind, RunRecord
from core.slots import digest_slot
from delivery.models import EditionRow
from emails.kinds import MailKind
from issues.models import Paper
from tests.support.factories import add_issue, issue_of

FIRST_MONDAY = datetime(2022, 1, 3, 8, 0, tzinfo=UTC)
WEEK = timedelta(weeks=1)
PAPERS = 10  # of an issue
UPKEEPS = 7 * 24 * 4  # in a week
RESULT = {
    "expired": 0, "resumed": 0, "answered": 2, "joined": 1, "slot": "retries", "candidates": 12, "sent": 11,
    "deferred": 1, "failed": 0, "uncertain": 0, "skipped": 0, "planned": 0, "reasons": {}, "editions": [],
    "waiting": False, "ready_until": 0, "unrendered": [], "feed": "", "stopped": "",
}  # fmt: skip

_NUMBER = "(s.id * 7 + :week * 13) % 1000"  # decides what becomes of a mail
_MAILS = f"""
INSERT INTO deliveries (subscriber_id, edition_id, slot, queue, kind, state, claimed_by, message_id, in_reply_to,
                        attempts, repeats, reply, planned_at, due_at, settled_at)
SELECT s.id, e.id, e.slot, e.slot, 'digest',
       CASE WHEN {_NUMBER} < 6 THEN 'failed' WHEN {_NUMBER} < 8 THEN 'uncertain'
            WHEN {_NUMBER} < 12 THEN 'skipped' ELSE 'sent' END,
       '', :prefix || {{hex}} || '@paperboy.example', '', 1, 0, '250 2.0.0 Ok: queued as 4bXk3n1jWvz6t0QzR',
       e.created_at, NULL, e.created_at
FROM subscribers s JOIN editions e ON e.language = s.language
WHERE e.slot = :slot ORDER BY s.id
"""  # noqa: S608  the pieces are constants
_BOUNCES = """
INSERT INTO bounce_mails (content_hash, received_at, kind, status, action, reason, raw, subscriber_id, delivery_id)
SELECT 'hash ' || id, planned_at, 'bounce', '5.2.1', 'counted', 'mailbox is off', NULL, subscriber_id, id
FROM deliveries WHERE slot = :slot AND state = 'failed' AND subscriber_id % 6 <> 0
"""


@dataclass(frozen=True)
class Week:
    """One week of a history."""

    number: int

    @property
    def monday(self) -> datetime:
        """When its digest ran."""
        return FIRST_MONDAY + self.number * WEEK

    @property
    def slot(self) -> str:
        """The slot of its digest."""
        return digest_slot(Frequency.WEEKLY, self.monday)


def add_readers(database: Database, count: int) -> None:
    """Add weekly subscribers of all languages."""
    add_subscribers(database, count)
    with database.engine.begin() as connection:
        languages = "CASE id % 10 WHEN 0 THEN 'en' WHEN 1 THEN 'en' WHEN 2 THEN 'both' ELSE 'ko' END"
        connection.execute(text(f"UPDATE subscribers SET language = {languages}"))  # noqa: S608


def add_week(database: Database, week: Week) -> None:
    """Add an issue, its digest to everyone, what came back, and the runs of the week."""
    with database.sessions.begin() as session:
        content = issue_of(PAPERS, start=week.monday.date() - WEEK)
        issue = add_issue(
            session, content, topic_id=9_000 + week.number, now=week.monday - timedelta(hours=12)
        )
        papers = session.scalars(select(Paper.number).where(Paper.issue_id == issue.id)).all()
        connection = session.connection()
        connection.execute(
            insert(EditionRow), [_edition(week, language, list(papers)) for language in Language]
        )
        connection.execute(insert(RunRecord), list(_runs(week)))
        _add_mails(connection, week)
        last = {"last": max(papers)}
        connection.execute(text("UPDATE subscribers SET cursor = :last"), last)


def _edition(week: Week, language: Language, papers: list[int]) -> dict[str, object]:
    sentence = f"{week.slot}: 이번 주에는 언어 모형의 추론을 다룬 논문이 많았습니다. "
    size = len(sentence.encode())
    return {
        "kind": MailKind.DIGEST,
        "slot": week.slot,
        "language": language,
        "frequency": Frequency.WEEKLY,
        "detail": Detail.FULL,
        "after_cursor": min(papers) - 1,
        "next_cursor": max(papers),
        "papers": papers,
        "subject": f"이번 주의 논문 {week.slot}",
        "html": sentence * (HTML_BYTES // size),
        "text": sentence * (TEXT_BYTES // size),
        "nonce": "0123456789abcdef0123",
        "created_at": week.monday,
    }


def _runs(week: Week) -> "list[dict[str, object]]":
    counts = {
        "candidates": 1,
        "sent": 1,
        "deferred": 0,
        "failed": 0,
        "uncertain": 0,
        "skipped": 0,
        "planned": 0,
    }
    runs: list[dict[str, object]] = [
        {"kind": RunKind.DIGEST, "slot": week.slot, "finished_at": week.monday, "result": counts}
    ]
    runs += (
        {"kind": RunKind.UPKEEP, "slot": None, "finished_at": week.monday + number * timedelta(minutes=15),
         "result": RESULT}
        for number in range(UPKEEPS)
    )  # fmt: skip
    return [{"waiting": False, "version": "0.1.0", **run} for run in runs]


def _add_mails(connection: Connection, week: Week) -> None:
    hexadecimal = {"sqlite": "printf('%020x', s.id)", "postgresql": "lpad(to_hex(s.id), 20, '0')"}
    sql = _MAILS.format(hex=hexadecimal[connection.dialect.name])
    values = {"week": week.number, "prefix": f"{week.number:012x}", "slot": week.slot}
    connection.execute(text(sql), values)
    connection.execute(text(_BOUNCES), {"slot": week.slot})
