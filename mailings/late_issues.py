"""Issues that came after the digest of their slot: who still gets them in it.

A weekly slot takes a late issue until Friday 21:00, a daily slot until 21:00, each from 08:00 in local time. Papers
that an edit added to an issue are not late: they wait for the next slot.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import assert_never

from sqlalchemy import and_
from sqlalchemy.orm import Session

from core.frequencies import DIGEST_TIME, Frequency
from core.run_log import RunKind, first_run_of_slot
from core.slots import late_issue_slot
from delivery import planner
from delivery.report import DigestReport
from issues.arrivals import Arrival
from issues.queries import arrivals_after
from mailings.context import MailingRules
from mailings.digest_plan import DigestSlot, read_due, regular_slot
from subscribers.models import Subscriber

FIRST_HOUR, LAST_HOUR = DIGEST_TIME, time(21)  # between which late issues go out, in local time
LAST_WEEKDAY = 4  # Friday (Monday is 0)


def late_slots(
    session: Session, frequency: Frequency, local_now: datetime, rules: MailingRules
) -> list[DigestSlot]:
    """The slots in which somebody is due to get a late issue now: the digest's own, and those of single issues."""
    if not _is_open(frequency, local_now):
        return []
    regular = regular_slot(frequency, local_now)
    first_run = first_run_of_slot(session, RunKind.DIGEST, regular.name)
    if first_run is None:
        return []  # the digest itself will bring the issue
    if "ready_until" not in first_run.result and not first_run.waiting:
        return []  # an older version ran it, which does not say what came later
    ready_until = int(first_run.result.get("ready_until", 0))
    arrived, _ = arrivals_after(session, local_now, rules.quiet_period, after=ready_until)
    issues = _late_issues(arrived, ready_until)
    return [slot for slot in _slots(regular, issues) if _is_somebody_due(session, slot, local_now, rules)]


def _is_somebody_due(session: Session, slot: DigestSlot, now: datetime, rules: MailingRules) -> bool:
    """Whether somebody would get a mail in the slot. Whoever has had all of its papers before would not."""
    audience, arrived = read_due(session, slot, now, rules, DigestReport(slot.name))
    return any(
        arrival.arrival_order > group.cursor and arrival.number not in group.had
        for group in audience.groups
        for arrival in arrived
    )


def _is_open(frequency: Frequency, local_now: datetime) -> bool:
    is_by_day = FIRST_HOUR <= local_now.time() < LAST_HOUR
    match frequency:
        case Frequency.WEEKLY:
            return is_by_day and local_now.weekday() <= LAST_WEEKDAY
        case Frequency.DAILY:
            return is_by_day
        case _:
            assert_never(frequency)


def _late_issues(arrived: Sequence[Arrival], ready_until: int) -> list[list[Arrival]]:
    """The ready papers of each issue of which no paper was ready when the digest ran."""
    by_topic: dict[int, list[Arrival]] = {}
    for arrival in arrived:
        if arrival.issue.first_arrival > ready_until:
            by_topic.setdefault(arrival.issue.topic_id, []).append(arrival)
    return list(by_topic.values())


def _slots(regular: DigestSlot, issues: Sequence[list[Arrival]]) -> Iterator[DigestSlot]:
    """The regular slot for those who had no mail in it, and each issue's own slot for those who had."""
    for papers in issues:
        lacks_issue = Subscriber.cursor < papers[0].arrival_order
        yield DigestSlot(regular.name, regular.frequency, lacks_issue)
        if regular.frequency.brings_whole_issues:
            had_mail = planner.has_delivery_in(regular.name)
            yield DigestSlot(
                late_issue_slot(regular.name, papers[0].issue.topic_id),
                regular.frequency,
                and_(lacks_issue, had_mail),
                until=papers[-1].arrival_order,
            )
