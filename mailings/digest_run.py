"""A digest run from start to end: read the audience, choose and render, plan, send, and count everyone."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from core.database import Sessions
from core.frequencies import Frequency
from core.run_log import RunKind, last_run_of_slot, record_run
from core.slots import digest_slot
from delivery import planner, queries
from delivery.context import SendingContext
from delivery.editions import add_edition, discard_unused, edition_row
from delivery.progress import Progress, ignore_progress
from delivery.report import PLANNED_EARLIER, DigestReport, count_results, edition_entry
from delivery.sender import send_due
from emails.content import MailSpec
from emails.identity import MailIdentity
from issues.arrivals import Arrival
from issues.queries import arrivals_after
from mailings.context import MailingRules
from mailings.next_mail import NextMail, render_next_mail
from subscribers.audience import Audience, AudienceGroup, read_audience


def run_digest(
    context: SendingContext,
    frequency: Frequency,
    *,
    local_now: datetime,
    rules: MailingRules,
    progress: Progress = ignore_progress,
    start_more_senders: Callable[[str], None] = lambda _slot: None,
) -> DigestReport:
    """Plan the frequency's digest of the slot at `local_now`, send it, and count everyone.

    A second run of a slot plans only those who have nothing in it yet, and sends what is due. When everything is
    planned, `start_more_senders` may start further senders for the slot.
    """
    slot = digest_slot(frequency, local_now)
    report = DigestReport(slot)
    with context.database.sessions() as session:
        before = queries.count_slot_by_reason(session, slot)
    report.candidates = before.total()
    planned, missed = _plan_slot(
        context.database.sessions, frequency, context.identity, local_now, rules, report
    )
    start_more_senders(slot)
    result = send_due(context, slot, repeat_uncertain=rules.repeat_uncertain, progress=progress)
    report.stopped = result.stopped
    with context.database.sessions.begin() as session:
        after = queries.count_slot_by_reason(session, slot)
        planned_by_others = after.total() - before.total() - planned
        _count_missed(report, missed, planned_by_others=max(planned_by_others, 0))
        # Fewer rows than planned: subscribers were forgotten meanwhile, and their rows deleted.
        report.skip(Counter({"forgotten": max(-planned_by_others, 0)}))
        count_results(report, before, after)
        record_run(session, RunKind.DIGEST, report.as_json(), local_now, slot=slot, waiting=report.waiting)
    return report


def preview_digest(
    sessions: Sessions,
    frequency: Frequency,
    *,
    identity: MailIdentity,
    local_now: datetime,
    rules: MailingRules,
) -> DigestReport:
    """What `run_digest` would plan. Nothing is written. `planned` counts the mails."""
    report = DigestReport(digest_slot(frequency, local_now))
    with sessions() as session:
        audience, arrived = read_due(session, frequency, local_now, rules, report)
    report.skip(audience.skipped)
    for group in audience.groups:
        mail = mail_of_group(group, arrived, report.slot, frequency, identity, rules)
        if mail is None:
            report.skip(Counter({_reason_for_nothing(report): group.size}))
        else:
            report.editions.append(edition_entry(mail.edition, mail.rendered, group.size))
            report.planned += group.size
    report.candidates = report.skipped + report.planned
    return report


def send_retries(context: SendingContext, *, rules: MailingRules) -> DigestReport:
    """Send everything that is due in any slot: deferred deliveries, and what a stopped run left planned."""
    report = DigestReport("retries")
    result = send_due(context, None, repeat_uncertain=rules.repeat_uncertain)
    with context.database.sessions() as session:
        report.planned = queries.count_due(session, None, context.clock())
    states = result.states
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped, report.stopped = states["uncertain"], states["skipped"], result.stopped
    report.candidates = states.total() + report.planned
    return report


def next_run_at(session: Session, frequency: Frequency, local_now: datetime) -> datetime:
    """When the frequency's next digest is due: now, or in the next slot if the present one has been run."""
    has_run = last_run_of_slot(session, RunKind.DIGEST, digest_slot(frequency, local_now))
    return local_now + frequency.interval if has_run else local_now


# --- planning -----------------------------------------------------------------------


def read_due(
    session: Session, frequency: Frequency, now: datetime, rules: MailingRules, report: DigestReport
) -> tuple[Audience, list[Arrival]]:
    """The audience of the report's slot, and the papers that may go out to the first of them."""
    audience = read_audience(
        session,
        frequency,
        since=now - frequency.interval,
        skip_reasons={
            PLANNED_EARLIER: planner.has_delivery_in(report.slot),
            "an earlier mail is still under way": planner.has_digest_under_way(),
        },
    )
    first_cursor = min((group.cursor for group in audience.groups), default=0)
    arrived, report.waiting = arrivals_after(session, now, rules.quiet_period, after=first_cursor)
    return audience, arrived


def mail_of_group(
    group: AudienceGroup,
    arrived: Sequence[Arrival],
    slot: str,
    frequency: Frequency,
    identity: MailIdentity,
    rules: MailingRules,
) -> NextMail | None:
    """The next mail of a group, or None when nothing is unread."""
    spec = MailSpec(slot, group.language, frequency)
    return render_next_mail(arrived, group.cursor, spec, identity, rules.daily_papers)


def _reason_for_nothing(report: DigestReport) -> str:
    return "new papers still settle" if report.waiting else "nothing new"


def _plan_slot(
    sessions: Sessions,
    frequency: Frequency,
    identity: MailIdentity,
    now: datetime,
    rules: MailingRules,
    report: DigestReport,
) -> tuple[int, int]:
    """Plan group by group. Returns how many deliveries were planned, and how many subscribers were missed.

    The missed were in the audience, but had changed by the time their group was planned. The report counts all
    other candidates, and those who are skipped.
    """
    with sessions() as session:
        audience, arrived = read_due(session, frequency, now, rules, report)
    del audience.skipped[PLANNED_EARLIER]  # counted by the states of their deliveries
    report.skip(audience.skipped)
    report.candidates += audience.skipped.total()
    all_planned = missed = 0
    for group in audience.groups:
        # Rendering takes time, so no transaction is open meanwhile.
        mail = mail_of_group(group, arrived, report.slot, frequency, identity, rules)
        if mail is None:
            report.candidates += group.size
            report.skip(Counter({_reason_for_nothing(report): group.size}))
            continue
        planned = _plan_group(sessions, group, mail, identity, now)
        report.candidates += planned
        all_planned, missed = all_planned + planned, missed + max(group.size - planned, 0)
        if planned:
            report.editions.append(edition_entry(mail.edition, mail.rendered, planned))
    return all_planned, missed


def _plan_group(
    sessions: Sessions, group: AudienceGroup, mail: NextMail, identity: MailIdentity, now: datetime
) -> int:
    """Plan a group's mail in bounded transactions. Returns how many deliveries were planned."""
    edition = mail.edition
    with sessions.begin() as session:
        row = add_edition(
            session,
            edition_row(edition.spec, mail.rendered.content, now, edition=edition, after_cursor=group.cursor),
        )
    planned = 0
    last_id: int | None = 0
    while last_id is not None:
        with sessions.begin() as session:
            batch = planner.plan_digest(
                session,
                row,
                cursor=edition.papers[-1].number,
                domain=identity.domain,
                now=now,
                after_id=last_id,
            )
        planned, last_id = planned + batch.count, batch.last_id
    if not planned:
        with sessions.begin() as session:
            discard_unused(session, row)
    return planned


def _count_missed(report: DigestReport, missed: int, *, planned_by_others: int) -> None:
    """Count the subscribers whom this run found due and did not plan.

    Another run of the slot planned them at the same time, or they changed while this run was planning.
    """
    report.candidates += max(missed, planned_by_others)
    report.skip(Counter({"changed while planning": max(missed - planned_by_others, 0)}))
