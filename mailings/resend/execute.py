"""The copies of an operator's plan: kept as a request, planned, sent and accounted for."""

from datetime import datetime

from sqlalchemy.orm import Session

from core.database import Sessions, lock
from core.run_log import record
from delivery import events, planner, queries
from delivery.models import Resend
from delivery.progress import Progress, ignore_progress
from delivery.report import Account, DigestReport, account
from delivery.sender import Office, drain
from mailings.digest_run import Rules
from mailings.resend.plan import (
    REASON_LENGTH,
    Batch,
    Plan,
    earlier_request,
    edition_entry,
    key_of,
    slot_of_copies,
)
from subscribers.accounts import clean_line


def carry_out(
    office: Office,
    made: Plan,
    *,
    asked_by: str,
    rules: Rules,
    now: datetime,
    progress: Progress = ignore_progress,
) -> DigestReport:
    """Plan the copies and send them, with those of the same request that still wait; all are accounted for."""
    with office.database.sessions() as session:
        earlier = earlier_request(session, made.terms)
        before = queries.account_of(session, slot_of_copies(earlier)) if earlier else Account()
    slot = book(office.database.sessions, made, asked_by=asked_by, domain=office.house.domain, now=now)
    report = DigestReport(slot, editions=[edition_entry(batch) for batch in made.batches])
    report.stopped = drain(office, slot, repeat_uncertain=rules.repeat_uncertain, progress=progress).stopped
    with office.database.sessions.begin() as session:
        after = queries.account_of(session, slot)
        report.candidates = after.total()
        account(report, before, after)
        record(session, "resend", report.as_json(), now, slot=slot)
    return report


def book(sessions: Sessions, made: Plan, *, asked_by: str, domain: str, now: datetime) -> str:
    """Keep who asked for what, when and why, and plan the copies for the next sender; their slot.

    Readers whom another run of the request reached meanwhile, or who changed, are left out.
    """
    with sessions.begin() as session:
        slot = slot_of_copies(_kept(session, made, asked_by, now))
    for batch in made.batches:
        _plan_batch(sessions, batch, slot, domain, now)
    with sessions.begin() as session:
        events.supersede(session, made.old_copies, slot, now)
    return slot


def _kept(session: Session, made: Plan, asked_by: str, now: datetime) -> Resend:
    lock(session, "planning")
    resend = earlier_request(session, made.terms)
    if resend is None:
        resend = Resend(
            key=key_of(made.terms),
            request={name: value for name, value in made.terms.items() if name != "reason"},
            reason=made.terms["reason"],
            asked_by=clean_line(asked_by, REASON_LENGTH),
            asked_at=now,
        )
        session.add(resend)
        session.flush()
    return resend


def _plan_batch(sessions: Sessions, batch: Batch, slot: str, domain: str, now: datetime) -> None:
    """Plan a batch in bounded transactions."""
    row = batch.edition
    if row.id is None:  # stored anew, also if it reads as an older one: its age says which text it has
        with sessions.begin() as session:
            session.add(row)
    last_id: int | None = 0
    while last_id is not None:
        with sessions.begin() as session:
            last_id = planner.plan_copies(
                session,
                row,
                slot,
                who=batch.who,
                in_reply_to=batch.in_reply_to,
                domain=domain,
                now=now,
                after_id=last_id,
            ).last_id
