"""What needs an operator's attention, the most pressing first: read from the record of runs and the ledger."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from core.run_log import Run, latest
from delivery.models import Delivery, EditionRow
from delivery.report import balances
from delivery.retry import MOST_ATTEMPTS
from monitoring.alarms import troubles_of_bounces, troubles_of_issues
from subscribers.models import Subscriber

EVER = timedelta(days=36_500)
LONG_AGO = timedelta(days=8)  # a week's digest, and a day
OVERDUE = timedelta(hours=1)


@dataclass(frozen=True)
class Matter:
    """A trouble in one line, and what to do about it."""

    what: str
    remedy: str


def matters(session: Session, now: datetime, bounce_alarm: int) -> list[Matter]:
    """What needs attention now; `bounce_alarm` is the percentage of mails that may come back."""
    troubles = [*troubles_of_issues(session, now, EVER), *troubles_of_bounces(session, now, bounce_alarm)]
    told = [
        Matter(f"{trouble.notice.what}: {trouble.notice.cause}", trouble.notice.remedy)
        for trouble in troubles
    ]
    return [*_runs(session), *told, *_mails(session, now)]


def _runs(session: Session) -> list[Matter]:
    """The last run of each kind, where it did not end well."""
    return [
        Matter(f"{fault} (mails left: {run.result.get('planned', 0)})", "mend it: the next run sends them")
        for run in latest(session, 1)
        if (fault := _fault_of(run))
    ]


def _fault_of(run: Run) -> str:
    name = run.slot or run.kind
    if run.result.get("stopped"):
        return f"{name} stopped: {run.result['stopped']}"
    return "" if balances(run.result) else f"the accounts of {name} do not balance"


def _mails(session: Session, now: datetime) -> list[Matter]:
    lost = _lost_mails(session, now - LONG_AGO)
    found = [
        Matter(
            f"{group} mails of the last {LONG_AGO.days} days: {lost[group]}",
            f"`paperboy show ISSUE`, then `paperboy resend ISSUE --group {group}`",
        )
        for group in ("uncertain", "failed", "expired")
        if lost[group]
    ]
    late = select(func.count()).where(Delivery.due_at < now - OVERDUE)
    if waiting := session.scalar(late) or 0:
        found.append(
            Matter(f"mails that wait for over an hour: {waiting}", "is a worker running? `paperboy doctor`")
        )
    return found


def _lost_mails(session: Session, since: datetime) -> Counter[str]:
    """Mails that did not arrive or may not have, by the group to send them to again: of readers who still
    read and were sent none of the papers since."""
    rows = select(EditionRow.id, EditionRow.papers).where(
        EditionRow.created_at > since, EditionRow.frequency != ""
    )
    editions = {id_: set(papers) for id_, papers in session.execute(rows)}
    lost: Counter[str] = Counter()
    for edition, papers in editions.items():
        again = [id_ for id_, others in editions.items() if id_ > edition and others & papers]
        lost += _lost_of(session, edition, again)
    return lost


def _lost_of(session: Session, edition: int, again: Sequence[int]) -> Counter[str]:
    later = aliased(Delivery)
    has_copy = exists().where(
        later.subscriber_id == Delivery.subscriber_id,
        (later.edition_id + 0).in_(again),  # the sum has SQLite look by the reader
        or_(later.state == "sent", later.due_at.is_not(None)),
    )
    group = case(
        (and_(Delivery.state == "failed", Delivery.attempts >= MOST_ATTEMPTS), "expired"),
        else_=Delivery.state,
    )
    rows = (
        select(group, func.count())
        .join(Delivery.subscriber)
        .where(Delivery.edition_id == edition, Delivery.due_at.is_(None))
        .where(Delivery.state.in_(("failed", "uncertain")), Subscriber.status == "active", ~has_copy)
    )
    counts: list[tuple[str, int]] = [(name, number) for name, number in session.execute(rows.group_by(group))]
    return Counter(dict(counts))
