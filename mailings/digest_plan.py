"""The plan of a digest: who is due in a slot, what they get, and the deliveries that are made for them."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, true
from sqlalchemy.orm import Session

from core.database import Sessions, transact
from core.frequencies import Frequency
from core.locks import advisory_lock
from core.slots import digest_slot
from delivery import cursors, planner
from delivery.editions import add_edition, discard_unused, edition_row, editions_with
from delivery.models import EditionRow
from delivery.report import PLANNED_EARLIER, DigestReport, edition_entry
from emails.content import MailSpec
from emails.identity import MailIdentity
from issues.arrivals import Arrival
from issues.paper_rows import move_behind_others
from issues.queries import arrivals_after, numbers_between
from mailings.context import MailingRules
from mailings.next_mail import NextMail, UnrenderedMailError, mail_or_fault
from subscribers.audience import Audience, AudienceGroup, group_keys, read_audience
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

CANNOT_BE_RENDERED = "their mail cannot be rendered"


@dataclass(frozen=True, eq=False)
class DigestSlot:
    """A slot, whom it is for (a condition on subscribers), and the last paper that it brings, if there is a limit."""

    name: str
    frequency: Frequency
    who: ColumnElement[bool] = true()  # noqa: RUF009  an immutable expression
    until: int | None = None


class GroupMail(NamedTuple):
    """A group of an audience, and the mail that it gets."""

    group: AudienceGroup
    mail: NextMail


def regular_slot(frequency: Frequency, local_now: datetime) -> DigestSlot:
    """The frequency's slot at a local time, for everyone."""
    return DigestSlot(digest_slot(frequency, local_now), frequency)


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
    spec = MailSpec(slot.name, group.language, slot.frequency, detail=group.detail)
    return mail_or_fault(unread, group.cursor, spec, identity, rules.daily_papers)


def mail_or_reason(
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


def plan_slot(
    sessions: Sessions,
    slot: DigestSlot,
    identity: MailIdentity,
    now: datetime,
    rules: MailingRules,
    report: DigestReport,
) -> tuple[int, int]:
    """Plan the slot for everyone. Returns how many deliveries were planned, and how many subscribers were missed.

    The missed were in the audience, but had changed by the time they were planned. The report counts all
    other candidates, and those who are skipped.
    """
    audience, arrived = transact(sessions, lambda session: read_due(session, slot, now, rules, report))
    del audience.skipped[PLANNED_EARLIER]  # counted by the states of their deliveries
    report.skip(audience.skipped)
    report.candidates += audience.skipped.total()
    faulty_topics: set[int] = set()
    # Rendering takes time, so no transaction is open meanwhile.
    mails = [
        (group, mail_or_reason(group, arrived, slot, identity, rules, report, faulty_topics))
        for group in audience.groups
    ]
    due = [GroupMail(group, mail) for group, mail in mails if mail]
    report.candidates += sum(group.size for group, mail in mails if mail is None)
    restored = {arrival.number for arrival in arrived if arrival.restored}
    planned = _plan_mails(sessions, slot, due, restored, identity, now)
    report.candidates += planned.total()
    report.editions += [
        edition_entry(mail.edition, mail.rendered, planned[place])
        for place, (_, mail) in enumerate(due)
        if planned[place]
    ]
    if faulty_topics:
        transact(sessions, lambda session: move_behind_others(session, faulty_topics, now))
    return planned.total(), max(sum(group.size for group, _ in due) - planned.total(), 0)


def _plan_mails(
    sessions: Sessions,
    slot: DigestSlot,
    mails: Sequence[GroupMail],
    restored: Set[int],
    identity: MailIdentity,
    now: datetime,
) -> Counter[int]:
    """Plan the mails of all groups, batch by batch. Returns how many deliveries there are, by the place of the mail.

    `restored` are papers that some have had before. Groups that get the same mail are counted as one.
    """
    planned = Counter[int]()
    if not mails:
        return planned
    due = and_(slot.who, Subscriber.frequency == slot.frequency, Subscriber.status == SubscriberStatus.ACTIVE)

    def plan_batch(session: Session, batch: planner.Batch) -> Counter[int]:
        # Two runs of a slot share an edition. Under the lock neither deletes it while the other plans with it.
        advisory_lock(session, "planning")
        present = group_keys(session, and_(due, batch.has(Subscriber.id)))
        stored = {
            place: _store_edition(session, group, mail, restored, now)
            for place, (group, mail) in enumerate(mails)
            if group.key in present and _is_current(session, mail, group)
        }
        editions = [(row, and_(slot.who, had)) for row, had in stored.values()]
        counts = planner.plan_digest(session, slot.name, editions, batch, domain=identity.domain, now=now)
        for row, _ in stored.values():
            if not counts[row.id]:
                discard_unused(session, row)
        # Groups that get the same mail share a row, which counts for the first of them.
        return Counter({place: counts.pop(row.id, 0) for place, (row, _) in stored.items()})

    for batch in planner.batches(sessions, due):
        planned += transact(sessions, partial(plan_batch, batch=batch))
    planner.refresh_statistics(sessions, planned.total())
    return planned


def _store_edition(
    session: Session, group: AudienceGroup, mail: NextMail, restored: Set[int], now: datetime
) -> tuple[EditionRow, ColumnElement[bool]]:
    """The stored edition, and the condition that a subscriber has had the papers that it leaves out, and no other.

    Others at the same cursor may have had some of the papers that it brings, if these were restored.
    """
    edition = mail.edition
    row = edition_row(edition.spec, mail.rendered.content, now, edition=edition, after_cursor=group.cursor)
    restored = restored & {paper.number for paper in edition.papers}
    had = [cursors.has_had(found) for found in editions_with(session, group.had).values()]
    lacks = (
        [~cursors.has_had(found) for found in editions_with(session, restored).values()] if restored else []
    )
    return add_edition(session, row), and_(true(), *had, *lacks)


def _is_current(session: Session, mail: NextMail, group: AudienceGroup) -> bool:
    """Whether the mail still brings what its subscribers lack. Papers may have been withdrawn or moved since."""
    passed = numbers_between(session, group.cursor, mail.edition.next_cursor)
    return [number for number in passed if number not in group.had] == [
        paper.number for paper in mail.edition.papers
    ]
