"""The newest mails, the history of one subscriber, and the mails of one issue. Nothing here writes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from delivery.counts import count_editions_by_state
from delivery.models import BounceMail, Delivery, EditionRow
from delivery.states import ALWAYS_UNDER_WAY, DeliveryState
from emails.kinds import WITH_PAPERS
from issues.models import Issue, Revision
from subscribers.models import Subscriber, Suppression

# What lists of mails show of an edition. Its texts would take too much memory.
_WITHOUT_TEXTS = joinedload(Delivery.edition).load_only(
    EditionRow.subject, EditionRow.language, EditionRow.detail, EditionRow.papers
)


def newest_mails(
    session: Session,
    limit: int,
    *,
    state: DeliveryState | None = None,
    slot: str = "",
    subscriber_id: int | None = None,
    before: int | None = None,
) -> Sequence[Delivery]:
    """Deliveries with their subscribers, the newest first: of a state, a slot, a subscriber, with ids below `before`."""
    rows = select(Delivery).options(_WITHOUT_TEXTS, joinedload(Delivery.subscriber))
    if state:
        rows = rows.where(Delivery.state == state)
    if state in ALWAYS_UNDER_WAY:  # they have an index of their own, and may be few among millions
        rows = rows.where(Delivery.id.in_(select(Delivery.id).where(Delivery.due_at.is_not(None))))
    if slot:
        rows = rows.where(Delivery.slot == slot)
    if subscriber_id is not None:
        rows = rows.where(Delivery.subscriber_id == subscriber_id)
    if before is not None:
        rows = rows.where(Delivery.id < before)
    return session.scalars(rows.order_by(Delivery.id.desc()).limit(limit)).all()


def history_of_subscriber(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """What a subscriber was sent, what bounced, what they changed, and why they are suppressed, if they are."""
    deliveries = select(Delivery).where(Delivery.subscriber_id == subscriber.id).options(_WITHOUT_TEXTS)
    bounces = select(BounceMail).where(BounceMail.subscriber_id == subscriber.id)
    suppression = session.get(Suppression, subscriber.email.lower())
    return {
        "suppressed": suppression and suppression.reason,
        "deliveries": [_delivery(row) for row in session.scalars(deliveries.order_by(Delivery.id))],
        "returned": [
            {
                "at": _iso(row.received_at),
                "kind": row.kind,
                "status": row.status,
                "action": row.action,
                "said": row.reason,
            }
            for row in session.scalars(bounces.order_by(BounceMail.id))
        ],
        "changes": [
            {"at": _iso(event.at), "what": event.what, "detail": event.detail} for event in subscriber.events
        ],
    }


def _delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "planned_at": _iso(row.planned_at),
        "settled_at": row.settled_at and _iso(row.settled_at),
        "slot": row.slot,
        "kind": row.kind,
        "state": row.state,
        "due_at": row.due_at and _iso(row.due_at),
        "papers": len(row.edition.papers),
        "language": row.edition.language,
        "detail": row.edition.detail,
        "subject": row.edition.subject,
        "message_id": row.message_id,
        "attempts": row.attempts,
        "reply": row.reply,
    }


def mails_of_issue(session: Session, issue: Issue) -> list[dict[str, Any]]:
    """How many mails with papers of the issue are in each state, by slot, language and revision of their text.

    Mails that were pruned are not among them.
    """
    papers = {paper.number for paper in issue.papers}
    rows = select(EditionRow.id, EditionRow.papers, EditionRow.language, EditionRow.created_at)
    digests = rows.where(EditionRow.created_at >= issue.first_seen_at, EditionRow.kind.in_(WITH_PAPERS))
    carriers = {
        id_: (language, revision_at(issue.revisions, created_at))
        for id_, numbers, language, created_at in session.execute(digests)
        if papers & set(numbers)
    }
    table: dict[tuple[str, str, int, str], int] = {}
    for (slot, edition, state), count in count_editions_by_state(session, carriers).items():
        language, revision = carriers[edition]
        key = (slot, language, revision, state)
        table[key] = table.get(key, 0) + count
    names = ("slot", "language", "revision", "state")
    return [dict(zip(names, key, strict=True)) | {"mails": table[key]} for key in sorted(table)]


def revision_at(revisions: Sequence[Revision], moment: datetime) -> int:
    """The number of the revision that was in force at a time, or 0 if there was none."""
    since = {
        revision.number: revision.released_at or revision.seen_at
        for revision in revisions
        if revision.released_at or not revision.problems
    }
    return max((number for number, began in since.items() if began <= moment), default=0)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
