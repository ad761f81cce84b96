"""Who is eligible to get which papers of an issue again, and why. Everything is counted in the database.

The papers that a subscriber is eligible for are a bit mask with one bit for each group of papers.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import assert_never

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from core.details import Detail
from core.languages import Language
from delivery.models import Delivery, EditionRow
from delivery.retry import MAX_ATTEMPTS
from delivery.states import DeliveryState
from mailings.resend.paper_groups import PaperGroup
from mailings.resend.request import ResendGroup
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.suppression import has_suppressed_address

SENT_BEFORE = "this request was carried out for them"
NOTHING_CHANGED = "nothing has changed in their language"
COMES_WITH_DIGEST = "it comes with their next digest"
OLD_TEXT_UNDER_WAY = "the old text is still on its way to them: ask again later"
SAMPLE_SIZE = 5
SQUARES_MODULUS = 1_000_003  # so that the sum over ten million subscribers fits into an integer of SQLite


@dataclass(frozen=True)
class AudienceSlice:
    """Subscribers with the same language and detail who get the same papers. `size` counts them."""

    language: Language
    detail: Detail
    mask: int
    size: int


@dataclass(frozen=True)
class Eligibility:
    """Who gets what, for which reason, and why others get nothing.

    `sample` holds the id and address of a few who get something. `checksum` changes with who all of them are: the
    sum of their ids, and that of the squares modulo a prime, because others with the same sum of ids are easily found.
    """

    slices: tuple[AudienceSlice, ...]
    reasons: Counter[str]
    left_out: Counter[str]
    sample: tuple[tuple[int, str], ...]
    checksum: tuple[int, int] = (0, 0)


# --- counting -----------------------------------------------------------------------


def count_eligible(
    session: Session,
    papers: Sequence[PaperGroup],
    groups: Sequence[ResendGroup],
    who: ColumnElement[bool],
    has_copy: ColumnElement[bool],
    languages: Collection[Language] = tuple(Language),
) -> Eligibility:
    """Count the subscribers of the groups among `who`, by what they would get and why.

    Those who have a copy already get no second one, and those who read none of the `languages` get nothing.
    """
    reads_others = Subscriber.language.not_in(languages)
    reason = case(*((_is_in_any(group, papers), literal(group.value)) for group in groups), else_="")
    obstacle = case(
        (has_copy, SENT_BEFORE),
        (reads_others, NOTHING_CHANGED),
        (Subscriber.status != SubscriberStatus.ACTIVE, type_coerce(Subscriber.status, String)),
        (has_suppressed_address(), "suppressed"),
        else_="",
    )
    mask = paper_mask(papers, groups)
    is_known = Subscriber.status.not_in((SubscriberStatus.PENDING, SubscriberStatus.FORGOTTEN))
    key = (reason, obstacle, Subscriber.language, Subscriber.detail, mask)
    squares = func.sum(cast(Subscriber.id, BigInteger) * Subscriber.id % SQUARES_MODULUS)
    counted = select(*key, func.count(), func.sum(Subscriber.id), squares)
    rows = counted.where(is_known, who, mask > 0).group_by(*key)
    sum_of_ids = sum_of_squares = 0
    slices: Counter[tuple[Language, Detail, int]] = Counter()
    reasons: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for group, why_not, language, detail, bits, count, ids, squared in session.execute(rows):
        if why_not:
            left_out[why_not] += count
        else:
            reasons[group] += count
            slices[language, detail, bits] += count
            sum_of_ids, sum_of_squares = sum_of_ids + int(ids), sum_of_squares + int(squared)
    left_out += _waiting(session, papers, groups, and_(who, may_get(has_copy), mask == 0))
    return Eligibility(
        tuple(AudienceSlice(*key, count) for key, count in sorted(slices.items())),
        reasons,
        left_out,
        _sample(session, and_(who, may_get(has_copy), ~reads_others, mask > 0)),
        (sum_of_ids, sum_of_squares),
    )


def _sample(session: Session, is_eligible: ColumnElement[bool]) -> tuple[tuple[int, str], ...]:
    rows = (
        select(Subscriber.id, Subscriber.email).where(is_eligible).order_by(Subscriber.id).limit(SAMPLE_SIZE)
    )
    return tuple((id_, email) for id_, email in session.execute(rows))


def _waiting(
    session: Session,
    papers: Sequence[PaperGroup],
    groups: Sequence[ResendGroup],
    who: ColumnElement[bool],
) -> Counter[str]:
    """Subscribers who get nothing now because something is still coming to them, by the reason."""
    waiting: Counter[str] = Counter()
    for group, reason, condition in (
        (ResendGroup.MISSED, COMES_WITH_DIGEST, _waits_for_digest),
        (ResendGroup.OUTDATED, OLD_TEXT_UNDER_WAY, _waits_for_old_text),
    ):
        if group in groups and (count := _count(session, who, condition, papers)):
            waiting[reason] += count
    return waiting


def has_copy_since(delivery_id: int, edition_slot: str) -> ColumnElement[bool]:
    """The condition that a copy of the same issue was planned for a subscriber after this delivery."""
    editions = select(EditionRow.id).where(EditionRow.slot == edition_slot)
    return exists().where(
        Delivery.subscriber_id == Subscriber.id, Delivery.id > delivery_id, Delivery.edition_id.in_(editions)
    )


def may_get(has_copy: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition that a subscriber may be sent a copy."""
    return and_(~has_copy, Subscriber.status == SubscriberStatus.ACTIVE, ~has_suppressed_address())


def paper_mask(papers: Sequence[PaperGroup], groups: Sequence[ResendGroup]) -> ColumnElement[int]:
    """The papers that a subscriber is eligible for, as a bit mask."""
    bits = (
        case(
            (or_(*(_is_in(group, paper_group) for group in groups)), literal(1 << bit, BigInteger)),
            else_=literal(0, BigInteger),
        )
        for bit, paper_group in enumerate(papers)
    )
    return reduce(add, bits)


def first_outdated_mail(papers: Iterable[PaperGroup]) -> ColumnElement[str]:
    """The Message-ID of the first mail that brought a subscriber an outdated text, or empty if there is none."""
    editions = frozenset[int]().union(*(group.outdated for group in papers))
    mails = select(Delivery.message_id).where(
        Delivery.subscriber_id == Subscriber.id,
        Delivery.edition_id.in_(editions),
        Delivery.state == DeliveryState.SENT,
    )
    return func.coalesce(mails.order_by(Delivery.id).limit(1).scalar_subquery(), "")


# --- conditions on a subscriber -----------------------------------------------------


def _has(editions: Collection[int], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    is_of_these = Delivery.edition_id.in_(editions)  # with the subscriber, a key of the index of editions
    return exists().where(Delivery.subscriber_id == Subscriber.id, is_of_these, *conditions)


_IS_FINE = or_(Delivery.state == DeliveryState.SENT, Delivery.due_at.is_not(None))  # accepted, or under way
_HAS_FAILED = Delivery.state == DeliveryState.FAILED


def _is_in(group: ResendGroup, papers: PaperGroup) -> ColumnElement[bool]:
    """The condition that a subscriber belongs to the group for these papers."""
    is_fine = _has(papers.editions, _IS_FINE)
    match group:
        case ResendGroup.FAILED:
            return and_(_has(papers.editions, _HAS_FAILED, Delivery.attempts < MAX_ATTEMPTS), ~is_fine)
        case ResendGroup.EXPIRED:
            return and_(_has(papers.editions, _HAS_FAILED, Delivery.attempts >= MAX_ATTEMPTS), ~is_fine)
        case ResendGroup.UNCERTAIN:
            return and_(_has(papers.editions, Delivery.state == DeliveryState.UNCERTAIN), ~is_fine)
        case ResendGroup.MISSED:
            return and_(_was_never_sent(papers), Subscriber.cursor >= papers.last_arrival)
        case ResendGroup.OUTDATED:
            has_new_text = _has(papers.editions - papers.outdated, _IS_FINE)
            return and_(_has(papers.outdated, Delivery.state == DeliveryState.SENT), ~has_new_text)
        case ResendGroup.EVERYONE:
            return Subscriber.id.is_not(None)
        case _:
            assert_never(group)


def _is_in_any(group: ResendGroup, papers: Sequence[PaperGroup]) -> ColumnElement[bool]:
    return or_(*(_is_in(group, paper_group) for paper_group in papers))


def _was_never_sent(papers: PaperGroup) -> ColumnElement[bool]:
    return ~_has(papers.editions, Delivery.state != DeliveryState.SKIPPED)


def _waits_for_digest(papers: PaperGroup) -> ColumnElement[bool]:
    return and_(_was_never_sent(papers), Subscriber.cursor < papers.last_arrival)


def _waits_for_old_text(papers: PaperGroup) -> ColumnElement[bool]:
    return _has(papers.outdated, Delivery.due_at.is_not(None))


def _count(
    session: Session,
    who: ColumnElement[bool],
    condition: Callable[[PaperGroup], ColumnElement[bool]],
    papers: Sequence[PaperGroup],
) -> int:
    """How many subscribers a condition holds for, for any group of papers."""
    rows = select(func.count()).select_from(Subscriber)
    return session.scalar(rows.where(who, or_(*(condition(group) for group in papers)))) or 0
