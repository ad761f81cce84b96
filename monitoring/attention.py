"""What needs an operator's attention, the most urgent first: read from the run log and the outbox."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import String, and_, case, exists, func, literal, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from core.frequencies import Frequency
from core.run_log import RunKind, RunRecord, last_finished, last_run, latest_runs
from delivery.models import Delivery, EditionRow
from delivery.report import balances
from delivery.retry import MAX_ATTEMPTS
from delivery.states import DeliveryState
from emails.kinds import WITH_PAPERS
from issues.models import Issue, Paper
from monitoring.alarms import complaint_notes, issue_alarms, mail_alarms
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

EVER = timedelta(days=36_500)
LOST_MAIL_WINDOW = timedelta(days=8)  # a week's digest, and a day more
MAX_OVERDUE = timedelta(hours=1)
MAX_TIME_BETWEEN_WEEKLY_DIGESTS = timedelta(days=7, hours=2)
MAX_RUN_AGE = timedelta(days=1)  # of a digest that is not the last one
_LOST_GROUPS = ("uncertain", "failed", "expired")  # groups of `paperboy resend`


@dataclass(frozen=True)
class Button:
    """What leads to the page that resolves an item: a link to `page`, or a form to it if there are `fields`."""

    label: str
    page: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class AttentionItem:
    """Something that is wrong, its cause if it is known, and what to do about it, each in one line.

    `buttons` lead to it on the operator's pages.
    """

    what: str
    remedy: str
    buttons: tuple[Button, ...] = ()
    cause: str = ""

    @property
    def line(self) -> str:
        """What is wrong and why."""
        return f"{self.what}: {self.cause}" if self.cause else self.what


def attention_items(session: Session, now: datetime, bounce_alarm: int) -> list[AttentionItem]:
    """What needs attention now. `bounce_alarm` is the percentage of mails that may bounce."""
    alarms = [*issue_alarms(session, now, EVER), *mail_alarms(session, now, bounce_alarm)]
    from_alarms = [
        AttentionItem(
            alarm.notice.what,
            alarm.notice.remedy,
            (Button("Look at it", alarm.page),) if alarm.page else (),
            alarm.notice.cause,
        )
        for alarm in alarms
    ]
    notes = [
        AttentionItem(
            note.what,
            note.remedy,
            (Button("Look at it", f"bounces?{urlencode({'slot': note.facts['slot']})}"),),
            note.cause,
        )
        for note in complaint_notes(session, now)
    ]
    return [*_runs(session, now), *_missing_runs(session, now), *from_alarms, *notes, *_mails(session, now)]


def _runs(session: Session, now: datetime) -> list[AttentionItem]:
    """The last runs that did not end well."""
    return [
        AttentionItem(
            f"{fault} (mails left: {run.result.get('planned', 0)})",
            "correct it: the next run sends them",
            (Button("Show its mails", f"mails?{urlencode({'slot': run.slot})}"),) if run.slot else (),
        )
        for run in _last_runs(session, now)
        for fault in _faults_of(run)
    ]


def _last_runs(session: Session, now: datetime) -> list[RunRecord]:
    """The last run of each kind, and the last digest of each frequency if it is younger than MAX_RUN_AGE.

    On a Monday the daily digest runs after the weekly one, which would not be seen otherwise.
    """
    digests = (last_run(session, RunKind.DIGEST, frequency) for frequency in Frequency)
    of_today = (run for run in digests if run and now - run.finished_at <= MAX_RUN_AGE)
    runs = {run.id: run for run in (*latest_runs(session, 1), *of_today)}
    return [runs[id_] for id_ in sorted(runs, reverse=True)]


def _faults_of(run: RunRecord) -> list[str]:
    """Why a run did not end well: it stopped, its counts are wrong, or some mails could not be rendered."""
    name = run.slot or run.kind
    if run.result.get("stopped"):
        return [f"{name} stopped: {run.result['stopped']}"]
    if not balances(run.result):
        return [f"the counts of {name} do not balance"]
    return list(run.result.get("unrendered", ()))


def _missing_runs(session: Session, now: datetime) -> list[AttentionItem]:
    """The runs that have been missing for too long, once there has been one: of a kind, and weekly digests."""
    last = [(str(kind), when, kind.max_time_between_runs) for kind, when in last_finished(session).items()]
    if weekly := last_run(session, RunKind.DIGEST, Frequency.WEEKLY):
        last.append(("weekly digest", weekly.finished_at, MAX_TIME_BETWEEN_WEEKLY_DIGESTS))
    return [
        AttentionItem(
            f"no {name} has run for {(now - finished) // timedelta(hours=1)} hours",
            "is a worker running? `paperboy doctor`",
        )
        for name, finished, max_time in sorted(last)
        if max_time and now - finished > max_time
    ]


def _mails(session: Session, now: datetime) -> list[AttentionItem]:
    lost = _lost_mails(session, now - LOST_MAIL_WINDOW)
    found = [
        AttentionItem(
            f"{group} mails of the last {LOST_MAIL_WINDOW.days} days: {mails.count}",
            f"`paperboy show ISSUE`, then `paperboy resend ISSUE --group {group}`",
            tuple(_resend_buttons(session, mails.topics, group)),
        )
        for group in _LOST_GROUPS
        if (mails := lost[group]).count
    ]
    late = select(func.count()).where(Delivery.due_at < now - MAX_OVERDUE)
    if waiting := session.scalar(late) or 0:
        found.append(
            AttentionItem(
                f"mails that wait for over an hour: {waiting}",
                "is a worker running? `paperboy doctor`",
                (Button("Show them", "mails?state=planned"),),
            )
        )
    return found


def _resend_buttons(session: Session, topics: Collection[int], group: str) -> Iterator[Button]:
    """For each issue a form that shows the plan to send its lost mails again."""
    reason = f"{group} mails, from the overview"
    issues = session.scalars(select(Issue).where(Issue.topic_id.in_(topics)).order_by(Issue.week_start))
    for issue in issues:
        label = "Send them again" if len(topics) == 1 else f"Send those of {issue.week_start} again"
        yield Button(label, "resend", {"issue": str(issue.topic_id), "group": group, "reason": reason})


@dataclass
class _LostMails:
    """How many mails were lost, and of which issues (by topic id) they brought papers."""

    count: int = 0
    topics: set[int] = field(default_factory=set)


def _lost_mails(session: Session, since: datetime) -> dict[str, _LostMails]:
    """Mails that did not arrive, or may not have, by the group that `paperboy resend` sends them to again.

    Only mails of subscribers count who are still active and were sent none of the papers since.
    """
    rows = select(EditionRow.id, EditionRow.papers).where(
        EditionRow.created_at > since, EditionRow.kind.in_(WITH_PAPERS)
    )
    editions = {id_: set(papers) for id_, papers in session.execute(rows)}
    lost = {group: _LostMails() for group in _LOST_GROUPS}
    for edition, papers in editions.items():
        later = [id_ for id_, others in editions.items() if id_ > edition and others & papers]
        for group, count in _lost_of_edition(session, edition, later).items():
            lost[group].count += count
            lost[group].topics |= _topics_of(session, papers)
    return lost


def _topics_of(session: Session, papers: Collection[int]) -> set[int]:
    return set(session.scalars(select(Issue.topic_id).join(Paper).where(Paper.number.in_(papers))))


def _lost_of_edition(session: Session, edition: int, later_editions: Sequence[int]) -> Counter[str]:
    later = aliased(Delivery)
    has_copy = exists().where(
        later.subscriber_id == Delivery.subscriber_id,
        later.edition_id.in_(later_editions),
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
