"""A digest from start to end: who is due, what they get, planned, sent and accounted for."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.database import Database, Sessions
from core.runs import record
from emails import outbox
from emails.edition import MAX_PAPERS, Edition, choose, compose, portion, slot_of
from emails.message import Content, House, Message, Reader, build, filled, widest
from emails.models import Delivery, EditionRow
from emails.render import Rendered, RenderError, render
from emails.sending import Clock, Drained, Progress, drain, ignore_progress
from emails.transport import Transport
from issues.models import Issue
from issues.store import Arrival, arrivals
from subscribers.accounts import AccountError, find
from subscribers.audience import Audience, Group, due


@dataclass(frozen=True)
class Rules:
    """The settings that decide what goes out: `settle` is how long an issue rests unchanged first."""

    settle: timedelta
    daily_papers: int
    repeat_uncertain: bool


@dataclass
class DigestReport:
    """The accounts of one run: every candidate is sent, deferred, failed, uncertain, skipped, or
    (when the run stopped, or another has taken it up again) still planned. `waiting`: papers had to settle first."""

    slot: str
    candidates: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    skipped: int = 0
    planned: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    editions: list[dict[str, Any]] = field(default_factory=list)
    waiting: bool = False
    stopped: str = ""

    @property
    def balances(self) -> bool:
        """Whether every candidate is accounted for."""
        settled = self.sent + self.deferred + self.failed + self.uncertain + self.skipped + self.planned
        return self.candidates == settled

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or nothing."""
        if self.stopped:
            return f"{self.slot} stopped: {self.stopped}; {self.planned} deliveries stay planned"
        if not self.balances:
            return f"{self.slot} does not balance: {self.line()}"
        return ""

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The accounts in one line."""
        return (
            f"{self.slot}: {self.candidates} candidates, {self.sent} sent, {self.deferred} deferred, "
            f"{self.failed} failed, {self.uncertain} uncertain, {self.skipped} skipped, {self.planned} planned"
        )


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
    drained = _drain(office, slot, rules, progress)
    with office.database.sessions.begin() as session:
        _account(session, report, outcomes, drained)
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
        mail = _next_mail(arrived, group, slot, frequency, house, rules)
        if mail is None:
            reasons[_nothing(report)] += len(group.subscriber_ids)
        else:
            edition, rendered = mail
            report.editions.append(_edition_entry(edition, rendered, len(group.subscriber_ids)))
            report.planned += len(group.subscriber_ids)
    report.candidates, report.skipped, report.reasons = audience.candidates, reasons.total(), dict(reasons)
    return report


# --- planning -----------------------------------------------------------------------


def _read(
    session: Session, frequency: str, slot: str, now: datetime, rules: Rules, report: DigestReport
) -> tuple[Audience, list[Arrival]]:
    audience = due(session, frequency, outbox.planned_in(session, slot), outbox.under_way(session))
    first_cursor = min((group.cursor for group in audience.groups), default=0)
    arrived, report.waiting = arrivals(session, now, rules.settle, after=first_cursor)
    return audience, arrived


def _next_mail(
    arrived: list[Arrival], group: Group, slot: str, frequency: str, house: House, rules: Rules
) -> tuple[Edition, Rendered] | None:
    """The group's next edition, rendered, with as many papers as find room for their openings."""
    most = MAX_PAPERS
    while True:
        edition = choose(
            arrived,
            group.cursor,
            slot=slot,
            language=group.language,
            frequency=frequency,
            daily_papers=rules.daily_papers,
            most=most,
        )
        if edition is None:
            return None
        count = len(edition.papers)
        try:
            rendered = render(edition, widest=widest(house))
        except RenderError:
            if count == 1:
                raise
        else:
            if count == 1 or not rendered.layout.lacks_openings:
                return edition, rendered
        most = count - max(1, count // 8)


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
        mail = _next_mail(arrived, group, slot, frequency, house, rules)  # no transaction: it takes time
        if mail is None:
            outcomes.update(dict.fromkeys(group.subscriber_ids, _nothing(report)))
            continue
        edition, rendered = mail
        with sessions.begin() as session:
            row = _store(session, edition, rendered, group.cursor, now)
            cursor = edition.papers[-1].number
            planned = outbox.plan(
                session, row, group.subscriber_ids, cursor=cursor, domain=house.domain, now=now
            )
            if not planned:
                session.delete(row)
        outcomes.update(dict.fromkeys(set(group.subscriber_ids) - set(planned), "changed while planning"))
        outcomes.update(dict.fromkeys(planned, ""))
        if planned:
            report.editions.append(_edition_entry(edition, rendered, len(planned)))
    return outcomes


def _store(session: Session, edition: Edition, rendered: Rendered, after: int, now: datetime) -> EditionRow:
    row = EditionRow(
        slot=edition.slot,
        language=edition.language,
        frequency=edition.frequency,
        after=after,
        papers=[paper.number for paper in edition.papers],
        subject=rendered.subject,
        html=rendered.html,
        text=rendered.text,
        nonce=rendered.nonce,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _edition_entry(edition: Edition, rendered: Rendered, readers: int) -> dict[str, Any]:
    return {
        "language": edition.language,
        "subject": rendered.subject,
        "papers": len(edition.papers),
        "remaining": edition.remaining,
        "readers": readers,
        "bytes": len(rendered.html.encode()),
    }


# --- accounts -----------------------------------------------------------------------


def _account(session: Session, report: DigestReport, outcomes: dict[int, str], drained: Drained) -> None:
    """Settle the report from the ledger: a reader's delivery counts if this run planned or tried it."""
    rows = session.execute(
        select(Delivery.id, Delivery.subscriber_id, Delivery.state, Delivery.reply).where(
            Delivery.slot == report.slot
        )
    ).all()
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for id_, subscriber_id, state, reply in rows:
        is_ours = outcomes.get(subscriber_id) == ""
        if not (is_ours or id_ in drained.tried or state == "planned"):
            continue
        outcomes[subscriber_id] = ""
        states[state] += 1
        if state == "skipped":
            reasons[reply] += 1
    for reason in outcomes.values():
        if reason:
            states["skipped"] += 1
            reasons[reason] += 1
    report.candidates = len(outcomes)
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped = states["uncertain"], states["skipped"]
    report.planned = sum(states[state] for state in ("planned", "claimed", "sending"))
    report.reasons, report.stopped = dict(reasons), drained.stopped


# --- one issue by hand --------------------------------------------------------------


def issue_edition(
    papers: Sequence[Arrival], *, slot: str, language: str, frequency: str, daily_papers: int
) -> Edition:
    """The edition of all papers of an issue; for `daily` of its first portion.

    Raises:
        RenderError: the issue has no paper in force.
    """
    if not papers:
        raise RenderError("the issue has no paper in force; if it is held, release it first")
    first = papers[: portion(len(papers), frequency, daily_papers)]
    return compose(
        first, 0, slot=slot, language=language, frequency=frequency, remaining=len(papers) - len(first)
    )


def preview_mail(edition: Edition, house: House, now: datetime) -> tuple[str, str, Message]:
    """An edition's HTML, text and mail, filled in for a reader who does not exist."""
    rendered = render(edition, widest=widest(house))
    content = Content(
        edition.slot,
        edition.language,
        edition.frequency,
        rendered.subject,
        rendered.html,
        rendered.text,
        rendered.nonce,
    )
    reader = Reader("reader@example.org", "", "0" * 16, edition.language)
    message = build(content, reader, house, message_id=f"preview@{house.domain}", now=now)
    return *filled(content, reader, house), message


def resend(
    office: Office,
    issue: Issue,
    papers: Sequence[Arrival],
    address: str,
    *,
    now: datetime,
    rules: Rules,
    dry_run: bool,
) -> DigestReport:
    """Send one reader a copy of a whole issue, in their language; no cursor moves.

    A copy that an earlier run left planned is sent in place of a second one.

    Raises:
        AccountError: nobody active has the address.
    """
    copies = f"resend:{issue.topic_id}:"
    report = DigestReport(copies + secrets.token_hex(4), candidates=1)
    with office.database.sessions.begin() as session:
        subscriber = find(session, address)
        if subscriber is None or subscriber.status != "active":
            state = subscriber.status if subscriber else "not subscribed"
            raise AccountError(f"{address} is {state}: only active readers are mailed")
        left = outbox.open_copy(session, subscriber.id, copies)
        report.slot = left or report.slot
        edition = issue_edition(
            papers,
            slot=report.slot,
            language=subscriber.language,
            frequency="weekly",
            daily_papers=rules.daily_papers,
        )
        rendered = render(edition, widest=widest(office.house))
        report.editions.append(_edition_entry(edition, rendered, 1))
        if dry_run:
            report.planned = 1
            return report
        if not left:
            row = _store(session, edition, rendered, 0, now)
            outbox.plan_copy(session, row, subscriber.id, domain=office.house.domain, now=now)
        outcomes = {subscriber.id: ""}
    drained = _drain(office, report.slot, rules)
    with office.database.sessions.begin() as session:
        _account(session, report, outcomes, drained)
        record(session, "resend", report.as_json(), now, slot=report.slot)
    return report


def retry(office: Office, *, rules: Rules) -> DigestReport:
    """Send whatever is due in any slot: deferred deliveries, and what a stopped run left planned."""
    report = DigestReport("retries")
    drained = _drain(office, None, rules)
    with office.database.sessions() as session:
        states = outbox.states(session, drained.tried)
        report.planned = outbox.states(session)["planned"]
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped, report.stopped = states["uncertain"], states["skipped"], drained.stopped
    report.candidates = len(drained.tried) + report.planned
    return report


def _drain(office: Office, slot: str | None, rules: Rules, progress: Progress = ignore_progress) -> Drained:
    return drain(
        office.database,
        office.transport,
        office.house,
        slot=slot,
        repeat_uncertain=rules.repeat_uncertain,
        clock=office.clock,
        progress=progress,
    )
