"""What the ledger tells of one reader and of one issue; it changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from delivery.models import Delivery, EditionRow, ReturnedMail
from issues.models import Issue, Revision
from subscribers.models import Subscriber, Suppression

# What lists of mails show of an edition; its texts take too much room.
WITHOUT_TEXTS = joinedload(Delivery.edition).load_only(
    EditionRow.subject, EditionRow.language, EditionRow.papers
)


def of_reader(session: Session, reader: Subscriber) -> dict[str, Any]:
    """All that a reader was sent, what came back, what they changed, and why they are not mailed, if so."""
    deliveries = select(Delivery).where(Delivery.subscriber_id == reader.id).options(WITHOUT_TEXTS)
    returned = select(ReturnedMail).where(ReturnedMail.subscriber_id == reader.id)
    suppression = session.get(Suppression, reader.email.lower())
    return {
        "suppressed": suppression and suppression.reason,
        "deliveries": [_delivery(row) for row in session.scalars(deliveries.order_by(Delivery.id))],
        "returned": [
            {"at": _moment(row.received_at), "kind": row.kind, "status": row.status, "action": row.action}
            | {"said": row.said}
            for row in session.scalars(returned.order_by(ReturnedMail.id))
        ],
        "changes": [
            {"at": _moment(event.at), "what": event.what, "detail": event.detail} for event in reader.events
        ],
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "planned_at": _moment(row.planned_at),
        "settled_at": row.settled_at and _moment(row.settled_at),
        "slot": row.slot,
        "kind": row.kind,
        "state": row.state,
        "due_at": row.due_at and _moment(row.due_at),
        "papers": len(row.edition.papers),
        "language": row.edition.language,
        "subject": row.edition.subject,
        "message_id": row.message_id,
        "attempts": row.attempts,
        "reply": row.reply,
    }


def of_issue(session: Session, issue: Issue) -> list[dict[str, Any]]:
    """How many mails with papers of the issue are in each state, by slot, language and the revision whose
    text they carry."""
    papers = {paper.number for paper in issue.papers}
    rows = select(EditionRow.id, EditionRow.papers, EditionRow.language, EditionRow.created_at)
    digests = rows.where(EditionRow.created_at >= issue.first_seen_at, EditionRow.frequency != "")
    carried = {
        id_: (language, revision_at(issue.revisions, created_at))
        for id_, numbers, language, created_at in session.execute(digests)
        if papers & set(numbers)
    }
    counts = (
        select(Delivery.slot, Delivery.edition_id, Delivery.state, func.count())
        .where(Delivery.edition_id.in_(carried))
        .group_by(Delivery.slot, Delivery.edition_id, Delivery.state)
    )
    table: dict[tuple[str, str, int, str], int] = {}
    for slot, edition, state, count in session.execute(counts):
        language, revision = carried[edition]
        place = (slot, language, revision, state)
        table[place] = table.get(place, 0) + count
    names = ("slot", "language", "revision", "state")
    return [dict(zip(names, place, strict=True)) | {"mails": table[place]} for place in sorted(table)]


def revision_at(revisions: Sequence[Revision], moment: datetime) -> int:
    """The number of the revision that was in force at a time; 0 for none."""
    since = {
        revision.number: revision.released_at or revision.seen_at
        for revision in revisions
        if revision.released_at or not revision.problems
    }
    return max((number for number, began in since.items() if began <= moment), default=0)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
