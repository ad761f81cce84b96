"""What needs an operator's attention, the most urgent first: read from the run log and the outbox."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import String, and_, case, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from core.run_log import RunRecord, latest_runs
from delivery.models import Delivery, EditionRow
from delivery.report import balances
from delivery.retry import MAX_ATTEMPTS
from delivery.states import DeliveryState
from emails.kinds import WITH_PAPERS
from monitoring.alarms import bounce_alarms, issue_alarms
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

EVER = timedelta(days=36_500)
LOST_MAIL_WINDOW = timedelta(days=8)  # a week's digest, and a day more
MAX_OVERDUE = timedelta(hours=1)
_LOST_GROUPS = ("uncertain", "failed", "expired")  # groups of `paperboy resend`


@dataclass(frozen=True)
class AttentionItem:
    """Something that is wrong, in one line, and what to do about it."""

    what: str
    remedy: str


def attention_items(session: Session, now: datetime, bounce_alarm: int) -> list[AttentionItem]:
    """What needs attention now. `bounce_alarm` is the percentage of mails that may bounce."""
    alarms = [*issue_alarms(session, now, EVER), *bounce_alarms(session, now, bounce_alarm)]
    from_alarms = [
        AttentionItem(f"{alarm.notice.what}: {alarm.notice.cause}", alarm.notice.remedy) for alarm in alarms
    ]
    return [*_runs(session), *from_alarms, *_mails(session, now)]


def _runs(session: Session) -> list[AttentionItem]:
    """The last run of each kind, if it did not end well."""
    return [
        AttentionItem(
            f"{fault} (mails left: {run.result.get('planned', 0)})", "correct it: the next run sends them"
        )
        for run in latest_runs(session, 1)
        for fault in _faults_of(run)
    ]


def _faults_of(run: RunRecord) -> list[str]:
    """Why a run did not end well: it stopped, its counts are wrong, or some mails could not be rendered."""
    name = run.slot or run.kind
    if run.result.get("stopped"):
        return [f"{name} stopped: {run.result['stopped']}"]
    if not balances(run.result):
        return [f"the counts of {name} do not balance"]
    return list(run.result.get("unrendered", ()))


def _mails(session: Session, now: datetime) -> list[AttentionItem]:
    lost = _lost_mails(session, now - LOST_MAIL_WINDOW)
    found = [
        AttentionItem(
            f"{group} mails of the last {LOST_MAIL_WINDOW.days} days: {lost[group]}",
            f"`paperboy show ISSUE`, then `paperboy resend ISSUE --group {group}`",
        )
        for group in _LOST_GROUPS
        if lost[group]
    ]
    late = select(func.count()).where(Delivery.due_at < now - MAX_OVERDUE)
    if waiting := session.scalar(late) or 0:
        found.append(
            AttentionItem(
                f"mails that wait for over an hour: {waiting}", "is a worker running? `paperboy doctor`"
            )
        )
    return found


def _lost_mails(session: Session, since: datetime) -> Counter[str]:
    """Mails that did not arrive, or may not have, by the group that `paperboy resend` sends them to again.

    Only mails of subscribers count who are still active and were sent none of the papers since.
    """
    rows = select(EditionRow.id, EditionRow.papers).where(
        EditionRow.created_at > since, EditionRow.kind.in_(WITH_PAPERS)
    )
    editions = {id_: set(papers) for id_, papers in session.execute(rows)}
    lost: Counter[str] = Counter()
    for edition, papers in editions.items():
        later = [id_ for id_, others in editions.items() if id_ > edition and others & papers]
        lost += _lost_of_edition(session, edition, later)
    return lost


def _lost_of_edition(session: Session, edition: int, later_editions: Sequence[int]) -> Counter[str]:
    later = aliased(Delivery)
    has_copy = exists().where(
        later.subscriber_id == Delivery.subscriber_id,
        (later.edition_id + 0).in_(later_editions),  # the addition makes SQLite use the index of subscribers
        or_(later.state == DeliveryState.SENT, later.due_at.is_not(None)),
    )
    has_expired = and_(Delivery.state == DeliveryState.FAILED, Delivery.attempts >= MAX_ATTEMPTS)
    group = case((has_expired, literal("expired")), else_=type_coerce(Delivery.state, String))
    rows = (
        select(group, func.count())
        .join(Delivery.subscriber)
        .where(Delivery.edition_id == edition, Delivery.due_at.is_(None))
        .where(Delivery.state.in_((DeliveryState.FAILED, DeliveryState.UNCERTAIN)))
        .where(Subscriber.status == SubscriberStatus.ACTIVE, ~has_copy)
    )
    counts: list[tuple[str, int]] = [(name, number) for name, number in session.execute(rows.group_by(group))]
    return Counter(dict(counts))
