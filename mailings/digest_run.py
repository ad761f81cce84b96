"""A digest from start to end: who is due, what they get, planned, sent and accounted for."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.database import Sessions
from core.run_log import last_of, record
from delivery import planner, queries
from delivery.progress import Progress, ignore_progress
from delivery.report import PLANNED_EARLIER, DigestReport, account, edition_entry
from delivery.sender import Office, drain
from emails.edition import MAX_PAPERS, Edition, Purpose, choose, slot_of
from emails.message import House, widest
from emails.rendering.render import Rendered, RenderError, render
from issues.arrivals import Arrival, arrivals
from subscribers.audience import Audience, Group, due

INTERVALS = {"weekly": timedelta(days=7), "daily": timedelta(days=1)}


@dataclass(frozen=True)
class Rules:
    """The settings that decide what goes out: `settle` is how long an issue rests unchanged first."""

    settle: timedelta
    daily_papers: int
    repeat_uncertain: bool


def run_digest(
    office: Office,
    frequency: str,
    *,
    local_now: datetime,
    rules: Rules,
    progress: Progress = ignore_progress,
    call_others: Callable[[str], None] = lambda _slot: None,
) -> DigestReport:
    """Plan the frequency's digest of the slot of `local_now`, send it, and account for everyone.

    A second run of a slot plans only those who have nothing in it yet, and sends what is due. When all is
    planned, `call_others` may start further senders for the slot.
    """
    slot = slot_of(frequency, local_now)
    report = DigestReport(slot)
    with office.database.sessions() as session:
        before = queries.account_of(session, slot)
    report.candidates = before.total()
    planned, missed = _plan_slot(office.database.sessions, frequency, office.house, local_now, rules, report)
    call_others(slot)
    report.stopped = drain(office, slot, repeat_uncertain=rules.repeat_uncertain, progress=progress).stopped
    with office.database.sessions.begin() as session:
        after = queries.account_of(session, slot)
        changed = after.total() - before.total() - planned
        _count_missed(report, missed, by_others=max(changed, 0))
        report.skip(Counter({"forgotten": max(-changed, 0)}))  # their rows are gone
        account(report, before, after)
        record(session, "digest", report.as_json(), local_now, slot=slot, waiting=report.waiting)
    return report


def preview_digest(
    sessions: Sessions, frequency: str, *, house: House, local_now: datetime, rules: Rules
) -> DigestReport:
    """What `run_digest` would plan, with nothing planned; `planned` counts the mails."""
    report = DigestReport(slot_of(frequency, local_now))
    with sessions() as session:
        audience, arrived = read_due(session, frequency, local_now, rules, report)
    report.skip(audience.skipped)
    for group in audience.groups:
        mail = mail_of(group, arrived, report.slot, frequency, house, rules)
        if mail is None:
            report.skip(Counter({_nothing(report): group.readers}))
        else:
            edition, rendered = mail
            report.editions.append(edition_entry(edition, rendered, group.readers))
            report.planned += group.readers
    report.candidates = report.skipped + report.planned
    return report


def next_run(session: Session, frequency: str, local_now: datetime) -> datetime:
    """When the frequency's next digest is due: now, or in the next slot if the one of now has run."""
    has_run = last_of(session, "digest", slot_of(frequency, local_now))
    return local_now + INTERVALS[frequency] if has_run else local_now


# --- planning -----------------------------------------------------------------------


def read_due(
    session: Session, frequency: str, now: datetime, rules: Rules, report: DigestReport
) -> tuple[Audience, list[Arrival]]:
    """Who is due for the report's slot, and the papers that may go out to the first of them."""
    audience = due(
        session,
        frequency,
        since=now - INTERVALS[frequency],
        otherwise={
            PLANNED_EARLIER: planner.has_mail_in(report.slot),
            "an earlier mail is still under way": planner.has_mail_under_way(),
        },
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
    purpose: Purpose = "digest",
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
            purpose=purpose,
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


def mail_of(
    group: Group, arrived: Sequence[Arrival], slot: str, frequency: str, house: House, rules: Rules
) -> tuple[Edition, Rendered] | None:
    """The group's next edition, rendered; None when nothing is unread."""
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
    sessions: Sessions, frequency: str, house: House, now: datetime, rules: Rules, report: DigestReport
) -> tuple[int, int]:
    """Plan group by group: for how many readers, and how many found no place in a mail that was for them.

    The report counts the candidates, except for the latter, and those who are skipped.
    """
    with sessions() as session:
        audience, arrived = read_due(session, frequency, now, rules, report)
    del audience.skipped[PLANNED_EARLIER]  # counted by what has become of their mails
    report.skip(audience.skipped)
    report.candidates += audience.skipped.total()
    all_planned = missed = 0
    for group in audience.groups:
        mail = mail_of(group, arrived, report.slot, frequency, house, rules)  # no transaction: it takes time
        if mail is None:
            report.candidates += group.readers
            report.skip(Counter({_nothing(report): group.readers}))
            continue
        planned = _plan_group(sessions, group, mail, house, now)
        report.candidates += planned
        all_planned, missed = all_planned + planned, missed + max(group.readers - planned, 0)
        if planned:
            report.editions.append(edition_entry(*mail, planned))
    return all_planned, missed


def _count_missed(report: DigestReport, missed: int, *, by_others: int) -> None:
    """Account for readers whom this run found due and did not plan: another run of the slot did at the same
    time, or they changed."""
    report.candidates += max(missed, by_others)
    report.skip(Counter({"changed while planning": max(missed - by_others, 0)}))


def _plan_group(
    sessions: Sessions, group: Group, mail: tuple[Edition, Rendered], house: House, now: datetime
) -> int:
    """Plan the group's mail in bounded transactions; for how many readers."""
    edition, rendered = mail
    with sessions.begin() as session:
        row = planner.add_edition(session, planner.draft(edition, rendered, group.cursor, now))
    planned = 0
    last_id: int | None = 0
    while last_id is not None:
        with sessions.begin() as session:
            chunk = planner.plan(
                session,
                row,
                cursor=edition.papers[-1].number,
                domain=house.domain,
                now=now,
                after_id=last_id,
            )
        planned, last_id = planned + chunk.count, chunk.last_id
    if not planned:
        with sessions.begin() as session:
            planner.discard(session, row)
    return planned


def retry(office: Office, *, rules: Rules) -> DigestReport:
    """Send whatever is due in any slot: deferred deliveries, and what a stopped run left planned."""
    report = DigestReport("retries")
    drained = drain(office, None, repeat_uncertain=rules.repeat_uncertain)
    with office.database.sessions() as session:
        report.planned = queries.count_due(session, None, office.clock())
    states = drained.states
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped, report.stopped = states["uncertain"], states["skipped"], drained.stopped
    report.candidates = states.total() + report.planned
    return report
