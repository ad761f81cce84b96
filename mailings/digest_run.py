"""A digest run from start to end: read the audience, choose and render, plan, send, and count everyone."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.orm import Session

from core.database import Sessions, advisory_lock
from core.frequencies import Frequency
from core.run_log import RunKind, last_run_of_slot, record_run
from core.slots import digest_slot
from delivery import cursors, planner, queries
from delivery.context import SendingContext
from delivery.editions import add_edition, discard_unused, edition_row, editions_with
from delivery.progress import Progress, ignore_progress
from delivery.report import PLANNED_EARLIER, DigestReport, count_results, edition_entry
from delivery.sender import send_due
from emails.content import MailSpec
from emails.identity import MailIdentity
from issues.arrivals import Arrival
from issues.paper_rows import move_behind_others
from issues.queries import arrivals_after, numbers_between
from mailings.context import MailingRules
from mailings.next_mail import NextMail, UnrenderedMailError, mail_or_fault
from subscribers.audience import Audience, AudienceGroup, read_audience

CANNOT_BE_RENDERED = "their mail cannot be rendered"


@dataclass(frozen=True, eq=False)
class DigestSlot:
    """A slot, whom it is for (a condition on subscribers), and the last paper that it brings, if there is a limit."""

    name: str
    frequency: Frequency
    who: ColumnElement[bool] = true()  # noqa: RUF009  an immutable expression
    until: int | None = None


def regular_slot(frequency: Frequency, local_now: datetime) -> DigestSlot:
    """The frequency's slot at a local time, for everyone."""
    return DigestSlot(digest_slot(frequency, local_now), frequency)


def run_digest(
    context: SendingContext,
    frequency: Frequency,
    *,
    local_now: datetime,
    rules: MailingRules,
    feed: str = "",
    progress: Progress = ignore_progress,
    start_more_senders: Callable[[str], None] = lambda _slot: None,
) -> DigestReport:
    """Plan the frequency's digest of the slot at `local_now`, send it, and count everyone.

    A second run of a slot plans only those who have nothing in it yet, and sends what is due. When everything is
    planned, `start_more_senders` may start further senders for the slot. `feed` says why the feed could not be read
    before, for the report.
    """
    slot = regular_slot(frequency, local_now)
    return run_slot(
        context,
        slot,
        local_now=local_now,
        rules=rules,
        feed=feed,
        progress=progress,
        start_more_senders=start_more_senders,
    )


def run_slot(
    context: SendingContext,
    slot: DigestSlot,
    *,
    local_now: datetime,
    rules: MailingRules,
    feed: str = "",
    progress: Progress = ignore_progress,
    start_more_senders: Callable[[str], None] = lambda _slot: None,
) -> DigestReport:
    """Plan and send the digest of any slot. See `run_digest`."""
    report = DigestReport(slot.name, feed=feed)
    with context.database.sessions() as session:
        before = queries.count_slot_by_reason(session, slot.name)
    report.candidates = before.total()
    planned, missed = _plan_slot(context.database.sessions, slot, context.identity, local_now, rules, report)
    start_more_senders(slot.name)
    result = send_due(context, slot.name, repeat_uncertain=rules.repeat_uncertain, progress=progress)
    report.stopped = result.stopped
    with context.database.sessions.begin() as session:
        after = queries.count_slot_by_reason(session, slot.name)
        planned_by_others = after.total() - before.total() - planned
        _count_missed(report, missed, planned_by_others=max(planned_by_others, 0))
        # Fewer rows than planned: subscribers were forgotten meanwhile, and their rows deleted.
        report.skip(Counter({"forgotten": max(-planned_by_others, 0)}))
        count_results(report, before, after)
        record_run(
            session, RunKind.DIGEST, report.as_json(), local_now, slot=slot.name, waiting=report.waiting
        )
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
    slot = regular_slot(frequency, local_now)
    report = DigestReport(slot.name)
    with sessions() as session:
        audience, arrived = read_due(session, slot, local_now, rules, report)
    report.skip(audience.skipped)
    for group in audience.groups:
        mail = _mail_of(group, arrived, slot, identity, rules, report, set())
        if mail:
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


# --- who gets what ------------------------------------------------------------------


def read_due(
    session: Session, slot: DigestSlot, now: datetime, rules: MailingRules, report: DigestReport
) -> tuple[Audience, list[Arrival]]:
    """The audience of the slot, and the papers that may go out to the first of them."""
    audience = _audience(session, slot, now)
    first_cursor = min((group.cursor for group in audience.groups), default=0)
    arrived, report.waiting = arrivals_after(session, now, rules.quiet_period, after=first_cursor)
    report.ready_until = arrived[-1].arrival_order if arrived else first_cursor
    if slot.until is not None:
        arrived = [arrival for arrival in arrived if arrival.arrival_order <= slot.until]
    restored = [arrival.number for arrival in arrived if arrival.restored]
    if restored:
        audience = _audience(session, slot, now, restored)
    return audience, arrived


def _audience(session: Session, slot: DigestSlot, now: datetime, restored: Sequence[int] = ()) -> Audience:
    editions = editions_with(session, restored) if restored else {}
    return read_audience(
        session,
        slot.frequency,
        since=now - slot.frequency.interval,
        skip_reasons={
            PLANNED_EARLIER: planner.has_delivery_in(slot.name),
            "an earlier mail is still under way": planner.has_digest_under_way(),
        },
        who=slot.who,
        has_had={number: cursors.has_had(found) for number, found in editions.items()},
    )


def mail_of_group(
    group: AudienceGroup,
    arrived: Sequence[Arrival],
    slot: DigestSlot,
    identity: MailIdentity,
    rules: MailingRules,
) -> NextMail | None:
    """The next mail of a group, or None when nothing is unread.

    Raises:
        UnrenderedMailError: it cannot be rendered.
    """
    unread = [arrival for arrival in arrived if arrival.number not in group.had]
    spec = MailSpec(slot.name, group.language, slot.frequency)
    return mail_or_fault(unread, group.cursor, spec, identity, rules.daily_papers)


def _mail_of(
    group: AudienceGroup,
    arrived: Sequence[Arrival],
    slot: DigestSlot,
    identity: MailIdentity,
    rules: MailingRules,
    report: DigestReport,
    faulty_topics: set[int],
) -> NextMail | None:
    """The next mail of a group, or None when they get nothing now, which the report counts with the reason.

    A mail that cannot be rendered costs only this group its mail: all others go out, and the operator is told. The
    topic at fault is added to `faulty_topics`.
    """
    try:
        mail = mail_of_group(group, arrived, slot, identity, rules)
    except UnrenderedMailError as error:
        report.unrendered.append(f"{slot.name}: {error}")
        faulty_topics.add(error.topic_id)
        report.skip(Counter({CANNOT_BE_RENDERED: group.size}))
        return None
    if mail is None:
        reason = "new papers still settle" if report.waiting else "nothing new"
        report.skip(Counter({reason: group.size}))
    return mail


# --- planning -----------------------------------------------------------------------


def _plan_slot(
    sessions: Sessions,
    slot: DigestSlot,
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
        audience, arrived = read_due(session, slot, now, rules, report)
    del audience.skipped[PLANNED_EARLIER]  # counted by the states of their deliveries
    report.skip(audience.skipped)
    report.candidates += audience.skipped.total()
    all_planned = missed = 0
    faulty_topics: set[int] = set()
    for group in audience.groups:
        # Rendering takes time, so no transaction is open meanwhile.
        mail = _mail_of(group, arrived, slot, identity, rules, report, faulty_topics)
        if mail is None:
            report.candidates += group.size
            continue
        planned = _plan_group(sessions, slot, group, mail, identity, now)
        report.candidates += planned
        all_planned, missed = all_planned + planned, missed + max(group.size - planned, 0)
        if planned:
            report.editions.append(edition_entry(mail.edition, mail.rendered, planned))
    if faulty_topics:
        with sessions.begin() as session:
            move_behind_others(session, faulty_topics, now)
    return all_planned, missed


def _plan_group(
    sessions: Sessions,
    slot: DigestSlot,
    group: AudienceGroup,
    mail: NextMail,
    identity: MailIdentity,
    now: datetime,
) -> int:
    """Plan a group's mail in bounded transactions. Returns how many deliveries were planned."""
    edition = mail.edition
    with sessions.begin() as session:
        row = add_edition(
            session,
            edition_row(edition.spec, mail.rendered.content, now, edition=edition, after_cursor=group.cursor),
        )
        editions = editions_with(session, group.had)
    had = and_(true(), *(cursors.has_had(found) for found in editions.values()))
    planned = 0
    last_id: int | None = 0
    while last_id is not None:
        with sessions.begin() as session:
            advisory_lock(session, "planning")
            if not _is_current(session, mail, group):
                break
            batch = planner.plan_digest(
                session, row, domain=identity.domain, now=now, who=and_(slot.who, had), after_id=last_id
            )
        planned, last_id = planned + batch.count, batch.last_id
    if not planned:
        with sessions.begin() as session:
            discard_unused(session, row)
    return planned


def _is_current(session: Session, mail: NextMail, group: AudienceGroup) -> bool:
    """Whether the mail still brings what its subscribers lack. Papers may have been withdrawn or moved since."""
    passed = numbers_between(session, group.cursor, mail.edition.next_cursor)
    return [number for number in passed if number not in group.had] == [
        paper.number for paper in mail.edition.papers
    ]


def _count_missed(report: DigestReport, missed: int, *, planned_by_others: int) -> None:
    """Count the subscribers whom this run found due and did not plan.

    Another run of the slot planned them at the same time, or they changed while this run was planning.
    """
    report.candidates += max(missed, planned_by_others)
    report.skip(Counter({"changed while planning": max(missed - planned_by_others, 0)}))
