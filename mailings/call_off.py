"""Calling an issue off: what is planned and not sent is taken back, and nobody else gets the issue."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from core.database import Sessions
from core.locks import advisory_lock
from delivery import cursors, events
from delivery.editions import editions_with
from delivery.models import EditionRow
from delivery.states import DeliveryKind
from issues.models import Issue
from issues.paper_rows import archive_issue
from issues.queries import find
from issues.store import StoreError

CALLED_OFF = "the issue was called off"


def call_off(sessions: Sessions, name: str, now: datetime) -> int:
    """Keep an issue for the archive from now on, and take back its mails that have not left. Returns how many.

    The papers of other issues in these mails come with the next digest. Releasing the issue mails it after all, to
    those who have not had it. A mail that may have arrived is not repeated, and stays uncertain. If this is interrupted,
    calling the issue off again takes back the rest.

    Raises:
        StoreError: there is no such issue, or it is not in force.
    """
    with sessions.begin() as session:
        editions = _archive(session, name)
    taken = 0
    while count := _take_back_some(sessions, editions, now):
        taken += count
    with sessions.begin() as session:
        events.stop_repeating(session, editions, now)
    return taken


def _archive(session: Session, name: str) -> list[int]:
    """Archive the issue. Returns the editions that bring its papers."""
    advisory_lock(session, "ingest")
    issue: Issue = find(session, name)
    if not issue.revision:
        raise StoreError(f"issue {issue.topic_id} is not in force, so there is nothing to call off")
    archive_issue(issue)
    brought_by = editions_with(session, [paper.number for paper in issue.papers])
    return sorted(set().union(*brought_by.values()))


def _take_back_some(sessions: Sessions, editions: list[int], now: datetime) -> int:
    with sessions.begin() as session:
        advisory_lock(session, "planning")
        taken = events.take_back(session, editions, CALLED_OFF, now)
        digests = [row for row in taken if row.kind == DeliveryKind.DIGEST]
        rows = _without_texts(session, {row.edition_id for row in digests})
        for row in digests:
            cursors.move_back(session, row.id, row.subscriber_id, rows[row.edition_id])
        return len(taken)


def _without_texts(session: Session, editions: Collection[int]) -> dict[int, EditionRow]:
    """The editions by id. Each text is as long as a mail, and there may be hundreds."""
    cursors_and_papers = load_only(EditionRow.after_cursor, EditionRow.next_cursor, EditionRow.papers)
    rows = select(EditionRow).where(EditionRow.id.in_(editions)).options(cursors_and_papers)
    return {row.id: row for row in session.scalars(rows)}
