"""A digest run from start to end: read the audience, choose and render, plan, send, and count everyone."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from core.database import Sessions, transact
from core.frequencies import Frequency
from core.run_log import RunKind, last_run_of_slot, record_run
from core.slots import digest_slot
from core.steps import Step, plain_step
from delivery import queries
from delivery.context import SendingContext
from delivery.progress import Progress, ignore_progress
from delivery.queries import StateCounts
from delivery.report import DigestReport, count_missing, count_results, edition_entry, settled
from delivery.sender import send_due
from delivery.warm_up import waiting_lines
from emails.identity import MailIdentity
from mailings.context import MailingRules
from mailings.digest_plan import DigestSlot, mail_or_reason, plan_slot, read_due, regular_slot


def run_digest(
    context: SendingContext,
    frequency: Frequency,
    *,
    local_now: datetime,
    rules: MailingRules,
    slot: DigestSlot | None = None,
    feed: str = "",
    progress: Progress = ignore_progress,
    start_more_senders: Callable[[str], None] = lambda _slot: None,
    step: Step = plain_step,
) -> DigestReport:
    """Plan the frequency's digest of a slot, send it, and count everyone, in the steps plan, send and account.

    Without a `slot` it is the regular one at `local_now`. A second run of a slot plans only those who have nothing in it
    yet, and sends what is due. When everything is planned, `start_more_senders` may start further senders for the slot.
    `feed` says why the feed could not be read before, for the report.
    """
    due_slot = slot or regular_slot(frequency, local_now)
    report = DigestReport(due_slot.name, feed=feed)
    planned = step("plan", lambda: _plan(context, due_slot, local_now, rules, report))
    start_more_senders(report.slot)
    result = step(
        "send",
        lambda: send_due(context, report.slot, repeat_uncertain=rules.repeat_uncertain, progress=progress),
    )
    report.stopped = result.stopped
    step("account", lambda: _account(context, planned, report, local_now))
    return report


@dataclass(frozen=True)
class _Planned:
    """What the step that plans leaves for the one that accounts: the slot's counts before, and its own."""

    before: StateCounts
    planned: int
    missed: int


def _plan(
    context: SendingContext, slot: DigestSlot, local_now: datetime, rules: MailingRules, report: DigestReport
) -> _Planned:
    sessions = context.database.sessions
    before = transact(sessions, lambda session: queries.count_slot_by_reason(session, slot.name))
    report.candidates = before.total()
    planned, missed = plan_slot(sessions, slot, context.identity, local_now, rules, report)
    return _Planned(before, planned, missed)


def _account(context: SendingContext, plan: _Planned, report: DigestReport, local_now: datetime) -> None:
    """Count everyone, and record the run."""
    sessions = context.database.sessions
    after = transact(sessions, lambda session: queries.count_slot_by_reason(session, report.slot))
    planned_by_others = after.total() - plan.before.total() - plan.planned
    _count_missed(report, plan.missed, planned_by_others=max(planned_by_others, 0))
    # Rows are missing if subscribers were forgotten meanwhile. Those that were settled before are counted below.
    deleted = max(-planned_by_others - count_missing(settled(plan.before), after), 0)
    report.skip(Counter({"forgotten": deleted}))
    count_results(report, plan.before, after)
    report.warm_up = _read_waiting(context, report.slot)
    transact(sessions, lambda session: _record(session, report, local_now))


def _record(session: Session, report: DigestReport, now: datetime) -> None:
    """Record the run, unless that was done and only the answer of the database was lost."""
    last, result = last_run_of_slot(session, RunKind.DIGEST, report.slot), report.as_json()
    if last is None or (last.finished_at, last.result) != (now, result):
        record_run(session, RunKind.DIGEST, result, now, slot=report.slot, waiting=report.waiting)


def preview_digest(
    sessions: Sessions,
    frequency: Frequency,
    *,
    identity: MailIdentity,
    local_now: datetime,
    rules: MailingRules,
) -> DigestReport:
    """What `run_digest` would plan. Nothing is written. `planned` counts the mails."""
    slot = regular_slot(frequency, local_now)
    report = DigestReport(slot.name)
    with sessions() as session:
        audience, arrived = read_due(session, slot, local_now, rules, report)
    report.skip(audience.skipped)
    for group in audience.groups:
        mail = mail_or_reason(group, arrived, slot, identity, rules, report, set())
        if mail:
            report.editions.append(edition_entry(mail.edition, mail.rendered, group.size))
            report.planned += group.size
    report.candidates = report.skipped + report.planned
    return report


def send_retries(context: SendingContext, *, rules: MailingRules) -> DigestReport:
    """Send everything that is due in any slot: deferred deliveries, and what a stopped run left planned."""
    report = DigestReport("retries")
    result = send_due(context, None, repeat_uncertain=rules.repeat_uncertain)
    report.planned = transact(
        context.database.sessions, lambda session: queries.count_due(session, None, context.clock())
    )
    report.warm_up = _read_waiting(context, None)
    states = result.states
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped, report.stopped = states["uncertain"], states["skipped"], result.stopped
    report.candidates = states.total() + report.planned
    return report


def _read_waiting(context: SendingContext, slot: str | None) -> list[str]:
    warm_up, now = context.limits.warm_up, context.clock()
    return transact(context.database.sessions, lambda session: waiting_lines(session, warm_up, now, slot))


def next_run_at(session: Session, frequency: Frequency, local_now: datetime) -> datetime:
    """When the frequency's next digest is due: now, or in the next slot if the present one has been run."""
    has_run = last_run_of_slot(session, RunKind.DIGEST, digest_slot(frequency, local_now))
    return local_now + frequency.interval if has_run else local_now


def _count_missed(report: DigestReport, missed: int, *, planned_by_others: int) -> None:
    """Count the subscribers whom this run found due and did not plan.

    Another run of the slot planned them at the same time, or they changed while this run was planning.
    """
    report.candidates += max(missed, planned_by_others)
    report.skip(Counter({"changed while planning": max(missed - planned_by_others, 0)}))
