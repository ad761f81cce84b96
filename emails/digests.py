"""A digest from start to end: who is due, what they get, planned, sent and accounted for."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.database import Database, Sessions
from core.runs import record
from emails import outbox
from emails.edition import MAX_PAPERS, Edition, choose, slot_of
from emails.message import House, widest
from emails.render import Rendered, RenderError, render
from emails.report import DigestReport, account, edition_entry
from emails.sending import Clock, Drained, Progress, drain, ignore_progress
from emails.transport import Transport
from issues.store import Arrival, arrivals
from subscribers.audience import Audience, Group, due

INTERVALS = {"weekly": timedelta(days=7), "daily": timedelta(days=1)}


@dataclass(frozen=True)
class Rules:
    """The settings that decide what goes out: `settle` is how long an issue rests unchanged first."""

    settle: timedelta
    daily_papers: int
    repeat_uncertain: bool


@dataclass(frozen=True)
class Office:
    """What sending stands on: the database, the open transport, the house and the clock."""

    database: Database
    transport: Transport
    house: House
    clock: Clock


def run_digest(
    office: Office,
    frequency: str,
    *,
    local_now: datetime,
    rules: Rules,
    progress: Progress = ignore_progress,
) -> DigestReport:
    """Plan the frequency's digest of the slot of `local_now`, send it, and account for everyone.

    A second run of a slot plans only those who have nothing in it yet, and sends what is due.
    """
    slot = slot_of(frequency, local_now)
    report = DigestReport(slot)
    outcomes = _plan_slot(office.database.sessions, frequency, slot, office.house, local_now, rules, report)
    drained = drain_for(office, slot, rules, progress)
    with office.database.sessions.begin() as session:
        account(session, report, outcomes, drained)
        record(session, "digest", report.as_json(), local_now, slot=slot, waiting=report.waiting)
    return report


def preview_digest(
    sessions: Sessions, frequency: str, *, house: House, local_now: datetime, rules: Rules
) -> DigestReport:
    """What `run_digest` would plan, with nothing planned; `planned` counts the mails."""
    slot = slot_of(frequency, local_now)
    report = DigestReport(slot)
    with sessions() as session:
        audience, arrived = _read(session, frequency, slot, local_now, rules, report)
    reasons = Counter(audience.skipped.values())
    for group in audience.groups:
        mail = _mail_of(group, arrived, slot, frequency, house, rules)
        if mail is None:
            reasons[_nothing(report)] += len(group.subscriber_ids)
        else:
            edition, rendered = mail
            report.editions.append(edition_entry(edition, rendered, len(group.subscriber_ids)))
            report.planned += len(group.subscriber_ids)
    report.candidates, report.skipped, report.reasons = audience.candidates, reasons.total(), dict(reasons)
    return report


# --- planning -----------------------------------------------------------------------


def _read(
    session: Session, frequency: str, slot: str, now: datetime, rules: Rules, report: DigestReport
) -> tuple[Audience, list[Arrival]]:
    audience = due(
        session,
        frequency,
        outbox.planned_in(session, slot),
        outbox.under_way(session),
        since=now - INTERVALS[frequency],
    )
    first_cursor = min((group.cursor for group in audience.groups), default=0)
    arrived, report.waiting = arrivals(session, now, rules.settle, after=first_cursor)
    return audience, arrived


def next_mail(
    arrived: Sequence[Arrival],
    cursor: int,
    *,
    slot: str,
    language: str,
    frequency: str,
    house: House,
    rules: Rules,
    is_welcome: bool = False,
) -> tuple[Edition, Rendered] | None:
    """The next edition of readers at `cursor`, rendered, with as many papers as find room for their
    openings; None when nothing is unread."""
    most = MAX_PAPERS
    while True:
        edition = choose(
            arrived,
            cursor,
            slot=slot,
            language=language,
            frequency=frequency,
            daily_papers=rules.daily_papers,
            most=most,
            is_welcome=is_welcome,
        )
        if edition is None:
            return None
        count = len(edition.papers)
        try:
            rendered = render(edition, archive=house.archive, widest=widest(house))
        except RenderError:
            if count == 1:
                raise
        else:
            if count == 1 or not rendered.layout.lacks_openings:
                return edition, rendered
        most = count - max(1, count // 8)


def _mail_of(
    group: Group, arrived: Sequence[Arrival], slot: str, frequency: str, house: House, rules: Rules
) -> tuple[Edition, Rendered] | None:
    """The group's next edition."""
    return next_mail(
        arrived,
        group.cursor,
        slot=slot,
        language=group.language,
        frequency=frequency,
        house=house,
        rules=rules,
    )


def _nothing(report: DigestReport) -> str:
    return "new papers still settle" if report.waiting else "nothing new"


def _plan_slot(
    sessions: Sessions,
    frequency: str,
    slot: str,
    house: House,
    now: datetime,
    rules: Rules,
    report: DigestReport,
) -> dict[int, str]:
    """Plan group by group; returns the reason of each candidate who was skipped."""
    with sessions() as session:
        audience, arrived = _read(session, frequency, slot, now, rules, report)
    outcomes = dict(audience.skipped)
    for group in audience.groups:
        mail = _mail_of(group, arrived, slot, frequency, house, rules)  # no transaction: it takes time
        if mail is None:
            outcomes.update(dict.fromkeys(group.subscriber_ids, _nothing(report)))
            continue
        edition, rendered = mail
        with sessions.begin() as session:
            row = outbox.add_edition(session, edition, rendered, group.cursor, now)
            cursor = edition.papers[-1].number
            planned = outbox.plan(
                session, row, group.subscriber_ids, cursor=cursor, domain=house.domain, now=now
            )
            if not planned:
                outbox.discard(session, row)
        outcomes.update(dict.fromkeys(set(group.subscriber_ids) - set(planned), "changed while planning"))
        outcomes.update(dict.fromkeys(planned, ""))
        if planned:
            report.editions.append(edition_entry(edition, rendered, len(planned)))
    return outcomes


def retry(office: Office, *, rules: Rules) -> DigestReport:
    """Send whatever is due in any slot: deferred deliveries, and what a stopped run left planned."""
    report = DigestReport("retries")
    drained = drain_for(office, None, rules)
    with office.database.sessions() as session:
        states = outbox.states(session, drained.tried)
        report.planned = outbox.states(session)["planned"]
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped, report.stopped = states["uncertain"], states["skipped"], drained.stopped
    report.candidates = len(drained.tried) + report.planned
    return report


def drain_for(
    office: Office, slot: str | None, rules: Rules, progress: Progress = ignore_progress
) -> Drained:
    """Send what is due in the slot, or in any, with all that the office has."""
    return drain(
        office.database,
        office.transport,
        office.house,
        slot=slot,
        repeat_uncertain=rules.repeat_uncertain,
        clock=office.clock,
        progress=progress,
    )
