"""Judges in plain SQL which papers were lost or repeated: the tables against each other and against the mail server.

It uses nothing of the program but its tables, so that a fault of the program cannot hide itself.
"""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.support.servers.smtp_sink import Sink

# A paper came to somebody if a delivery that was not skipped brings it. Copies are apart.
_BROUGHT = """
WITH brought AS (
    SELECT d.subscriber_id, d.id, CAST(j.value AS INTEGER) AS number
    FROM deliveries d JOIN editions e ON e.id = d.edition_id CROSS JOIN {papers_of_edition}
    WHERE d.kind = 'digest' AND d.state <> 'skipped'
)
"""
_GAPS = """
SELECT s.id, p.number FROM subscribers s JOIN papers p ON p.arrival_order <= s.cursor
WHERE NOT EXISTS (SELECT 1 FROM brought b WHERE b.subscriber_id = s.id AND b.number = p.number)
    AND NOT EXISTS (
        SELECT 1 FROM soak_starts f
        WHERE f.subscriber_id = s.id AND p.arrival_order > f.before AND p.arrival_order <= f.start
    )
ORDER BY s.id, p.number
"""
_REPEATS = "SELECT subscriber_id, number FROM brought GROUP BY subscriber_id, number HAVING count(*) > 1"
_BEHIND = """
SELECT id FROM subscribers WHERE status = 'active' AND cursor <> (SELECT max(arrival_order) FROM papers)
"""
_STATES = "SELECT state, count(*) FROM deliveries WHERE kind = 'digest' GROUP BY state ORDER BY state"
_MAILS = "SELECT message_id, state, repeats FROM deliveries"
_PAPERS_OF_EDITION = {
    "SQLite": "json_each(e.papers) j",
    "PostgreSQL": "json_array_elements_text(e.papers) AS j(value)",
}


@dataclass
class Verdict:
    """What the judge found. `behind` are active readers who lack the last papers; `unlike` mails contradict the outbox."""

    gaps: list[Any]
    repeats: list[Any]
    behind: list[Any]
    states: dict[str, int]
    unlike: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, repeated or left behind."""
        return not (self.gaps or self.repeats or self.behind or self.unlike)


def judge(kind: str, url: str, sink: Sink) -> Verdict:
    """Compare the tables with each other, and with what the mail server stored."""
    brought = _BROUGHT.format(papers_of_edition=_PAPERS_OF_EDITION[kind])
    with closing(_connect(kind, url)) as connection:

        def rows(statement: str) -> list[Any]:
            return list(connection.execute(statement).fetchall())

        arrived = Counter[str]()
        for (message_id, _), copies in sink.stored.items():
            arrived[message_id] += copies
        unlike = sum(
            copies > 1 + repeats or (copies == 0 and state == "sent") or (copies > 0 and state == "skipped")
            for message_id, state, repeats in rows(_MAILS)
            for copies in [arrived[message_id]]
        )
        return Verdict(
            rows(brought + _GAPS), rows(brought + _REPEATS), rows(_BEHIND), dict(rows(_STATES)), unlike
        )


def _connect(kind: str, url: str) -> Any:
    if kind == "SQLite":
        return sqlite3.connect(url.removeprefix("sqlite:///"))
    return psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1))
