"""Who needs which papers of an issue once more, and why: counted in the database, so that no reader is loaded.

What a reader needs is a mask: a bit for each class of papers, which are those that came in the same mails.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import add
from typing import Literal

from sqlalchemy import BigInteger, ColumnElement, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from delivery.models import Delivery, EditionRow
from delivery.retry import MOST_ATTEMPTS
from issues.models import Issue, Paper
from subscribers.models import Subscriber, Suppression

Group = Literal["failed", "expired", "uncertain", "missed", "outdated", "everyone"]
GROUPS: dict[Group, str] = {
    "failed": "the server refused it",
    "expired": "the server said later to the end",
    "uncertain": "nobody knows whether it arrived",
    "missed": "was never sent it",
    "outdated": "got a text that was corrected since",
    "everyone": "whoever reads",
}
SENT_BEFORE = "this request was carried out for them"
COMES_YET = "it comes with their next digest"
OLD_TEXT_UNDER_WAY = "the old text is still on its way to them: ask again later"
_MOST_CLASSES = 62  # bits of a number in both databases


class RequestError(Exception):
    """What was asked for cannot be sent; the message says why."""


@dataclass(frozen=True)
class PaperClass:
    """Papers (by number, in order) that came in the same `editions`, of which `outdated` had another text."""

    papers: tuple[int, ...]
    editions: frozenset[int]
    outdated: frozenset[int]


@dataclass(frozen=True)
class Share:
    """So many readers of a language who need the same papers."""

    language: str
    mask: int
    readers: int


@dataclass(frozen=True)
class Needs:
    """What a request comes to: who gets what, for which reason, and why others get nothing.

    `sample` names a few readers who get something (id and address), `checksum` changes with who they are.
    """

    shares: tuple[Share, ...]
    reasons: Counter[str]
    left_out: Counter[str]
    sample: tuple[tuple[int, str], ...]
    checksum: int = 0


def classes_of(session: Session, issue: Issue, *, only_corrected: bool = False) -> list[PaperClass]:
    """The issue's papers in force (or those of them that were corrected), by the editions that brought them.

    Raises:
        RequestError: they came in too many kinds of mails.
    """
    in_force = [paper for paper in issue.papers if paper.withdrawn_at is None]
    papers = {paper.number: paper for paper in in_force if paper.corrected_at or not only_corrected}
    editions: dict[int, set[int]] = {number: set() for number in papers}
    outdated: dict[int, set[int]] = {number: set() for number in papers}
    rows = select(EditionRow.id, EditionRow.papers, EditionRow.created_at)
    digests = rows.where(EditionRow.created_at >= issue.first_seen_at, EditionRow.frequency != "")
    for edition, numbers, created_at in session.execute(digests):
        for number in papers.keys() & set(numbers):
            editions[number].add(edition)
            if _was_corrected_since(papers[number], created_at):
                outdated[number].add(edition)
    alike: dict[tuple[frozenset[int], frozenset[int]], list[int]] = defaultdict(list)
    for number in sorted(papers):
        alike[frozenset(editions[number]), frozenset(outdated[number])].append(number)
    if len(alike) > _MOST_CLASSES:
        raise RequestError(f"the papers of the issue came in more than {_MOST_CLASSES} kinds of mails")
    return [PaperClass(tuple(numbers), *came) for came, numbers in alike.items()]


def _was_corrected_since(paper: Paper, moment: datetime) -> bool:
    return paper.corrected_at is not None and moment < paper.corrected_at


def papers_in(classes: Sequence[PaperClass], mask: int) -> set[int]:
    """The numbers of the papers that a mask stands for."""
    return {number for place, papers in enumerate(classes) if mask >> place & 1 for number in papers.papers}


def needs(
    session: Session,
    classes: Sequence[PaperClass],
    groups: Sequence[Group],
    who: ColumnElement[bool],
    has_copy: ColumnElement[bool],
) -> Needs:
    """Count the readers of the groups among `who`; those with `has_copy` get no second one."""
    reason = case(*((_needs_any(group, classes), group) for group in groups), else_="")
    against = case(
        (has_copy, SENT_BEFORE),
        (Subscriber.status != "active", Subscriber.status),
        (_is_suppressed(), "suppressed"),
        else_="",
    )
    mask = mask_of(classes, groups)
    is_known = Subscriber.status.not_in(("pending", "forgotten"))
    key = (reason, against, Subscriber.language, mask)
    rows = select(*key, func.count(), func.sum(Subscriber.id)).where(is_known, who, mask > 0).group_by(*key)
    checksum = 0
    shares: Counter[tuple[str, int]] = Counter()
    reasons: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for group, obstacle, language, bits, readers, ids in session.execute(rows):
        if obstacle:
            left_out[obstacle] += readers
        else:
            reasons[group] += readers
            shares[language, bits] += readers
            checksum += int(ids)
    others = and_(who, may_get(has_copy), mask == 0)
    for name, why, waits in (
        ("missed", COMES_YET, _waits_for_digest),
        ("outdated", OLD_TEXT_UNDER_WAY, _waits_for_old_text),
    ):
        if name in groups and (count := _count(session, others, waits, classes)):
            left_out[why] += count
    some = select(Subscriber.id, Subscriber.email).where(who, may_get(has_copy), mask > 0)
    return Needs(
        tuple(Share(language, bits, readers) for (language, bits), readers in sorted(shares.items())),
        reasons,
        left_out,
        tuple((id_, email) for id_, email in session.execute(some.order_by(Subscriber.id).limit(5))),
        checksum,
    )


def has_copy_since(delivery_id: int, edition_slot: str) -> ColumnElement[bool]:
    """Whether a subscriber was planned a copy of the same issue after this delivery, by whatever request."""
    editions = select(EditionRow.id).where(EditionRow.slot == edition_slot)
    return exists().where(
        Delivery.subscriber_id == Subscriber.id, Delivery.id > delivery_id, Delivery.edition_id.in_(editions)
    )


def may_get(has_copy: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a subscriber may be sent a copy."""
    return and_(~has_copy, Subscriber.status == "active", ~_is_suppressed())


def mask_of(classes: Sequence[PaperClass], groups: Sequence[Group]) -> ColumnElement[int]:
    """What a subscriber needs, as a mask."""
    bits = (
        case(
            (or_(*(_needs(group, papers) for group in groups)), literal(1 << place, BigInteger)),
            else_=literal(0, BigInteger),
        )
        for place, papers in enumerate(classes)
    )
    return reduce(add, bits)


def first_mail(classes: Iterable[PaperClass]) -> ColumnElement[str]:
    """The Message-ID of the first mail that brought a subscriber an outdated text, or nothing."""
    editions = frozenset[int]().union(*(papers.outdated for papers in classes))
    mails = select(Delivery.message_id).where(
        Delivery.subscriber_id == Subscriber.id,
        (Delivery.edition_id + 0).in_(editions),  # as in `_has`
        Delivery.state == "sent",
    )
    return func.coalesce(mails.order_by(Delivery.id).limit(1).scalar_subquery(), "")


# --- conditions on a subscriber -----------------------------------------------------


def _has(editions: Collection[int], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    # The sum keeps SQLite from searching all mails of the editions for each reader, by the index of these.
    is_of_these = (Delivery.edition_id + 0).in_(editions)
    return exists().where(Delivery.subscriber_id == Subscriber.id, is_of_these, *conditions)


_IS_FINE = or_(Delivery.state == "sent", Delivery.due_at.is_not(None))  # taken, or still under way
_FAILED = Delivery.state == "failed"


def _needs(group: Group, papers: PaperClass) -> ColumnElement[bool]:
    """Whether a subscriber is of the group for these papers."""
    is_fine = _has(papers.editions, _IS_FINE)
    if group == "failed":
        return and_(_has(papers.editions, _FAILED, Delivery.attempts < MOST_ATTEMPTS), ~is_fine)
    if group == "expired":
        return and_(_has(papers.editions, _FAILED, Delivery.attempts >= MOST_ATTEMPTS), ~is_fine)
    if group == "uncertain":
        return and_(_has(papers.editions, Delivery.state == "uncertain"), ~is_fine)
    if group == "missed":
        return and_(_was_never_sent(papers), Subscriber.cursor >= papers.papers[-1])
    if group == "outdated":
        has_new_text = _has(papers.editions - papers.outdated, _IS_FINE)
        return and_(_has(papers.outdated, Delivery.state == "sent"), ~has_new_text)
    return Subscriber.id.is_not(None)


def _was_never_sent(papers: PaperClass) -> ColumnElement[bool]:
    return ~_has(papers.editions, Delivery.state != "skipped")


def _needs_any(group: Group, classes: Sequence[PaperClass]) -> ColumnElement[bool]:
    return or_(*(_needs(group, papers) for papers in classes))


def _is_suppressed() -> ColumnElement[bool]:
    return exists().where(Suppression.email == func.lower(Subscriber.email))


def _waits_for_digest(papers: PaperClass) -> ColumnElement[bool]:
    return and_(_was_never_sent(papers), Subscriber.cursor < papers.papers[-1])


def _waits_for_old_text(papers: PaperClass) -> ColumnElement[bool]:
    return _has(papers.outdated, Delivery.due_at.is_not(None))


def _count(
    session: Session,
    who: ColumnElement[bool],
    condition: Callable[[PaperClass], ColumnElement[bool]],
    classes: Sequence[PaperClass],
) -> int:
    """How many readers a condition holds for, for any of the papers."""
    rows = select(func.count()).select_from(Subscriber)
    return session.scalar(rows.where(who, or_(*(condition(papers) for papers in classes)))) or 0
