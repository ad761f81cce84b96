"""Executes a resend: stores the request, plans its copies, sends them and counts them."""

from datetime import datetime

from sqlalchemy.orm import Session

from core.database import Sessions
from core.locks import advisory_lock
from core.run_log import RunKind, record_run
from core.slots import resend_slot
from core.steps import Step, plain_step
from delivery import events, planner, queries
from delivery.context import SendingContext
from delivery.models import Resend
from delivery.progress import Progress, ignore_progress
from delivery.queries import StateCounts
from delivery.report import DigestReport, count_results
from delivery.sender import send_due
from delivery.warm_up import waiting_lines
from mailings.context import MailingRules
from mailings.resend.plan import ResendEdition, ResendPlan, earlier_request, edition_entry
from mailings.resend.request import MAX_REASON_LENGTH, request_key
from subscribers.addresses import clean_line


def execute(
    context: SendingContext,
    plan: ResendPlan,
    *,
    asked_by: str,
    rules: MailingRules,
    now: datetime,
    progress: Progress = ignore_progress,
    step: Step = plain_step,
) -> DigestReport:
    """Plan the copies and send them, together with copies of the same request that still wait; count them all."""
    with context.database.sessions() as session:
        earlier = earlier_request(session, plan.terms)
        before = queries.count_slot_by_reason(session, resend_slot(earlier.id)) if earlier else StateCounts()
    sessions, domain = context.database.sessions, context.identity.domain
    slot = step("enqueue", lambda: enqueue(sessions, plan, asked_by=asked_by, domain=domain, now=now))
    report = DigestReport(slot, editions=[edition_entry(edition) for edition in plan.editions])
    result = step(
        "send",
        lambda: send_due(context, slot, repeat_uncertain=rules.repeat_uncertain, progress=progress),
    )
    report.stopped = result.stopped
    step("account", lambda: _account(context, before, report, now))
    return report


def _account(context: SendingContext, before: StateCounts, report: DigestReport, now: datetime) -> None:
    """Count the copies, and record the run."""
    with context.database.sessions.begin() as session:
        after = queries.count_slot_by_reason(session, report.slot)
        report.candidates = after.total()
        count_results(report, before, after)
        report.warm_up = waiting_lines(session, context.limits.warm_up, context.clock(), report.slot)
        record_run(session, RunKind.RESEND, report.as_json(), now, slot=report.slot)


def enqueue(sessions: Sessions, plan: ResendPlan, *, asked_by: str, domain: str, now: datetime) -> str:
    """Store who asked for what, when and why, and plan the copies for the next sender. Returns their slot.

    Subscribers whom another run of the same request has reached meanwhile, or who have changed, are left out.
    """
    with sessions.begin() as session:
        slot = resend_slot(_store_request(session, plan, asked_by, now).id)
    for edition in plan.editions:
        _plan_edition(sessions, edition, slot, domain, now)
    with sessions.begin() as session:
        events.supersede(session, plan.old_copies, slot, now)
    return slot


def _store_request(session: Session, plan: ResendPlan, asked_by: str, now: datetime) -> Resend:
    advisory_lock(session, "planning")
    resend = earlier_request(session, plan.terms)
    if resend is None:
        resend = Resend(
            key=request_key(plan.terms),
            request={name: value for name, value in plan.terms.items() if name != "reason"},
            reason=plan.terms["reason"],
            asked_by=clean_line(asked_by, MAX_REASON_LENGTH),
            asked_at=now,
        )
        session.add(resend)
        session.flush()
    return resend


def _plan_edition(sessions: Sessions, edition: ResendEdition, slot: str, domain: str, now: datetime) -> None:
    """Plan the copies of one edition in bounded transactions."""
    row = edition.row
    # It is stored even if an older edition reads the same, because its age says which text it has.
    if row.id is None:
        with sessions.begin() as session:
            session.add(row)
    planned = 0
    for batch in planner.batches(sessions, edition.who):
        with sessions.begin() as session:
            planned += planner.plan_resend(
                session,
                row,
                slot,
                batch,
                who=edition.who,
                in_reply_to=edition.in_reply_to,
                domain=domain,
                now=now,
            )
    planner.refresh_statistics(sessions, planned)
