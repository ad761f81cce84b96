"""Editions as rows: a rendered mail is stored once for all who get the same, and read back to be sent."""

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryState
from emails.content import Content, MailSpec
from issues.models import Paper

if TYPE_CHECKING:  # a process that only sends does not load what renders
    from emails.edition import Edition


def edition_row(
    spec: MailSpec,
    content: Content,
    now: datetime,
    *,
    edition: "Edition | None" = None,
    after_cursor: int = 0,
) -> EditionRow:
    """A mail as it is stored. `edition` is what it was rendered from, unless it is a letter."""
    return EditionRow(
        kind=spec.kind,
        slot=spec.slot,
        language=spec.language,
        frequency=spec.frequency,
        detail=spec.detail,
        after_cursor=after_cursor,
        next_cursor=edition.next_cursor if edition else 0,
        papers=[paper.number for paper in edition.papers] if edition else [],
        subject=content.subject,
        html=content.html,
        text=content.text,
        nonce=content.nonce,
        created_at=now,
    )


def add_edition(session: Session, row: EditionRow) -> EditionRow:
    """Store an edition. If it is stored already, returns that row instead."""
    is_alike = (
        EditionRow.slot == row.slot,
        EditionRow.detail == row.detail,
        EditionRow.after_cursor == row.after_cursor,
        EditionRow.nonce == row.nonce,
        EditionRow.html == row.html,
    )
    known = session.scalar(select(EditionRow).where(*is_alike).limit(1))
    if known:
        return known
    session.add(row)
    session.flush()
    return row


def editions_with(session: Session, numbers: Collection[int]) -> dict[int, set[int]]:
    """For each of the papers, the ids of the editions that bring it."""
    found: dict[int, set[int]] = {number: set() for number in numbers}
    if not found:
        return found
    for id_, papers in session.execute(select(EditionRow.id, EditionRow.papers)):
        for number in found.keys() & set(papers):
            found[number].add(id_)
    return found


def delivered_papers(session: Session) -> set[int]:
    """The numbers of all papers that somebody has a delivery of that was not skipped, or that was pruned."""
    is_delivered = exists().where(
        Delivery.edition_id == EditionRow.id, Delivery.state != DeliveryState.SKIPPED
    )
    editions = session.scalars(select(EditionRow.papers).where(is_delivered))
    pruned = session.scalars(select(Paper.number).where(Paper.pruned_at.is_not(None)))
    return {*pruned, *(number for papers in editions for number in papers)}


def discard_unused(session: Session, edition: EditionRow) -> None:
    """Delete an edition if no delivery refers to it."""
    if session.scalar(select(Delivery.id).where(Delivery.edition_id == edition.id).limit(1)) is None:
        session.delete(edition)


def spec_of(row: EditionRow) -> MailSpec:
    """Which mail a stored edition is."""
    return MailSpec(row.slot, row.language, row.frequency, row.kind, row.detail)


def content_of(row: EditionRow) -> Content:
    """What a stored edition says."""
    return Content(row.subject, row.html, row.text, row.nonce)
