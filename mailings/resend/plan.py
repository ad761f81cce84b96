"""The plan of a resend: who would get what, and why. Nothing is stored; `mailings.resend.execute` carries it out.

A request is carried out once. The same request, made again, reaches only those whom it has not reached yet.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, select, true
from sqlalchemy.orm import Session

from core.languages import Language
from core.slots import resend_edition_slot, resend_slot
from delivery import planner, queries
from delivery.counts import count_slot_by_state
from delivery.models import Delivery, EditionRow, Resend
from delivery.states import DeliveryKind, DeliveryState
from emails.content import MailSpec
from emails.edition import EmptyIssueError
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.rendering.render import MAX_HTML_BYTES
from emails.rendering.size import size_of
from issues.models import Issue
from issues.queries import find as find_issue
from mailings.resend import eligibility
from mailings.resend.editions import edition_of_groups, languages_with_changes, resend_spec
from mailings.resend.eligibility import AudienceSlice, Eligibility
from mailings.resend.paper_groups import PaperGroup, group_papers, groups_in
from mailings.resend.request import (
    MAX_REASON_LENGTH,
    ResendError,
    ResendGroup,
    ResendRequest,
    check_request,
    request_key,
)
from subscribers import accounts
from subscribers.addresses import AccountError, clean_line, mask_address
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus


@dataclass(frozen=True, eq=False)
class ResendEdition:
    """One edition and who gets it: `size` counts them, `who` is the condition on a subscriber.

    `in_reply_to` is the Message-ID that a subscriber's copy replies to.
    """

    row: EditionRow
    size: int
    who: ColumnElement[bool]
    in_reply_to: ColumnElement[str]


@dataclass(frozen=True, eq=False)
class ResendPlan:
    """What a request would do.

    `terms` is what was asked for, without any address. `earlier` is the same request made before, of which
    `waiting` copies have not been sent. `old_copies` are editions of copies whose text was corrected
    since, each with its papers.
    """

    what: str
    terms: dict[str, Any]
    old_copies: dict[int, set[int]]
    editions: tuple[ResendEdition, ...]
    eligible: Eligibility
    earlier: Resend | None
    waiting: int

    @property
    def copies(self) -> int:
        """How many copies it adds."""
        return sum(edition.size for edition in self.editions)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.copies or self.waiting)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values, with masked addresses."""
        return {
            "what": self.what,
            "reason": self.terms["reason"],
            "copies": self.copies,
            "reasons": dict(self.eligible.reasons),
            "left_out": dict(self.eligible.left_out),
            "sample": [
                f"{mask_address(address)} (subscriber {id_})" for id_, address in self.eligible.sample
            ],
            "editions": [edition_entry(edition) for edition in self.editions],
            "asked_before": self.earlier and self.earlier.asked_at.isoformat(timespec="seconds"),
            "waiting": self.waiting,
        }

    @property
    def fingerprint(self) -> str:
        """Changes when other subscribers or texts would be mailed, so that only what was shown can be approved."""
        shown = {
            name: value for name, value in self.as_json().items() if name not in {"waiting", "asked_before"}
        }
        return request_key([shown, self.eligible.checksum, [edition.row.html for edition in self.editions]])


def edition_entry(edition: ResendEdition) -> dict[str, Any]:
    """What a plan or a report says about one edition."""
    row = edition.row
    return {
        "language": row.language,
        "detail": row.detail,
        "subject": row.subject,
        "papers": len(row.papers),
        "readers": edition.size,
        "bytes": len(row.html.encode()),
        "fill": round(size_of(row.html).larger / MAX_HTML_BYTES, 3),
    }


def earlier_request(session: Session, terms: dict[str, Any]) -> Resend | None:
    """The same request made before."""
    return session.scalar(select(Resend).where(Resend.key == request_key(terms)))


def copies_by_state(session: Session, plan: ResendPlan) -> Counter[str]:
    """How many copies of a request are in each state, once it has been stored."""
    stored = earlier_request(session, plan.terms)
    return count_slot_by_state(session, resend_slot(stored.id)) if stored else Counter()


# --- making the plan ----------------------------------------------------------------


def plan_resend(
    session: Session, request: ResendRequest, identity: MailIdentity, now: datetime
) -> ResendPlan:
    """Who would get what by the request. Nothing is stored.

    Raises:
        ResendError: it is not clear what to send or to whom, or there is nothing to send.
        StoreError, EmptyIssueError: there is no such issue, or it has no paper in force.
        AccountError: the address does not belong to an active subscriber.
    """
    check_request(request)
    if request.delivery is not None:
        return _plan_delivery(session, request, request.delivery)
    return _plan_issue(session, request, find_issue(session, request.issue), identity, now)


def _plan_issue(
    session: Session, request: ResendRequest, issue: Issue, identity: MailIdentity, now: datetime
) -> ResendPlan:
    _check_kept(issue, request.chosen_groups)
    papers = group_papers(session, issue, only_corrected=request.is_correction)
    if not papers:
        if request.is_correction:
            raise ResendError(f"no paper of the issue of {issue.week_start} was corrected")
        raise EmptyIssueError(f"the issue of {issue.week_start} has no paper in force; is it held?")
    groups = request.chosen_groups
    subscriber = _active_subscriber(session, request.to) if request.to else None
    terms = _terms(request, issue, groups, subscriber)
    earlier = earlier_request(session, terms)
    who, has_copy = _whom(request, subscriber), _has_copy(earlier)
    languages = languages_with_changes(session, issue, papers) if request.is_correction else tuple(Language)
    eligible = eligibility.count_eligible(session, papers, groups, who, has_copy, languages)
    # Somebody who is sent a copy by another request between planning and execution gets no second one.
    last_delivery = session.scalar(select(func.max(Delivery.id))) or 0
    has_newer_copy = eligibility.has_copy_since(last_delivery, resend_edition_slot(issue.topic_id))
    may_get = and_(eligibility.may_get(has_copy), ~has_newer_copy)
    mask = eligibility.paper_mask(papers, groups)
    editions = tuple(
        ResendEdition(
            row=edition_of_groups(
                session, issue, groups_in(papers, part.mask), _spec_of(issue, part, request), identity, now
            ),
            size=part.size,
            who=and_(who, may_get, _chose(part), mask == part.mask),
            in_reply_to=eligibility.first_outdated_mail(groups_in(papers, part.mask))
            if request.is_correction
            else literal(""),
        )
        for part in eligible.slices
    )
    what = f"{'corrected papers of ' if request.is_correction else ''}{issue.title}"
    old_copies = _old_copies(session, issue, papers)
    return ResendPlan(what, terms, old_copies, editions, eligible, earlier, _waiting(session, earlier))


def _check_kept(issue: Issue, groups: Sequence[ResendGroup]) -> None:
    """Refuse groups that depend on what was mailed, if mails of the issue have been pruned.

    Raises:
        ResendError: nobody can tell any more who belongs to a group.
    """
    is_pruned = any(paper.pruned_at for paper in issue.papers if paper.withdrawn_at is None)
    if is_pruned and set(groups) != {ResendGroup.EVERYONE}:
        raise ResendError(
            f"mails of the issue of {issue.week_start} are too old to be kept, so nobody can tell who got what: "
            "name an address, or the group everyone"
        )


def _terms(
    request: ResendRequest, issue: Issue, groups: Sequence[ResendGroup], subscriber: Subscriber | None
) -> dict[str, Any]:
    """What identifies a request: the same terms send nothing twice."""
    return {
        "issue": issue.topic_id,
        "revision": issue.revision,
        "correction": request.is_correction,
        "subscriber": subscriber and subscriber.id,
        "groups": sorted(set(groups)),
        "language": request.language or "",
        "frequency": request.frequency or "",
        "reason": clean_line(request.reason, MAX_REASON_LENGTH),
    }


def _old_copies(session: Session, issue: Issue, papers: Sequence[PaperGroup]) -> dict[int, set[int]]:
    outdated = frozenset[int]().union(*(group.outdated for group in papers))
    slot = resend_edition_slot(issue.topic_id)
    copies = select(EditionRow.id, EditionRow.papers).where(
        EditionRow.slot == slot, EditionRow.id.in_(outdated)
    )
    return {id_: set(papers) for id_, papers in session.execute(copies)}


def _active_subscriber(session: Session, address: str) -> Subscriber:
    subscriber = accounts.find(session, address)
    if subscriber is None or subscriber.status != SubscriberStatus.ACTIVE:
        status = subscriber.status if subscriber else "not subscribed"
        raise AccountError(f"{address} is {status}: only active readers are mailed")
    return subscriber


def _whom(request: ResendRequest, subscriber: Subscriber | None) -> ColumnElement[bool]:
    who: ColumnElement[bool] = true()
    if subscriber:
        who = and_(who, Subscriber.id == subscriber.id)
    if request.language:
        who = and_(who, Subscriber.language == request.language)
    if request.frequency:
        who = and_(who, Subscriber.frequency == request.frequency)
    return who


def _chose(part: AudienceSlice) -> ColumnElement[bool]:
    return and_(Subscriber.language == part.language, Subscriber.detail == part.detail)


def _spec_of(issue: Issue, part: AudienceSlice, request: ResendRequest) -> MailSpec:
    kind = MailKind.CORRECTION if request.is_correction else MailKind.COPY
    return resend_spec(issue.topic_id, kind, part.language, part.detail)


def _plan_delivery(session: Session, request: ResendRequest, delivery_id: int) -> ResendPlan:
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.kind == DeliveryKind.LETTER:
        raise ResendError(
            f"there is no digest with the delivery id {delivery_id}; `paperboy show` names them"
        )
    if delivery.due_at is not None or delivery.state == DeliveryState.SKIPPED:
        raise ResendError(
            f"the delivery {delivery_id} is {delivery.state}: there is nothing to send again yet"
        )
    subscriber = _active_subscriber(session, delivery.subscriber.email)
    reason = clean_line(request.reason, MAX_REASON_LENGTH)
    terms = {"delivery": delivery_id, "subscriber": subscriber.id, "reason": reason}
    earlier = earlier_request(session, terms)
    who = and_(Subscriber.id == subscriber.id, eligibility.may_get(_has_copy(earlier)))
    readers = session.query(Subscriber.id).where(who).count()
    obstacle = eligibility.SENT_BEFORE if earlier else "suppressed"
    eligible = Eligibility(
        (),
        Counter({ResendGroup.EVERYONE.value: readers}),
        Counter({} if readers else {obstacle: 1}),
        ((subscriber.id, subscriber.email),),
    )
    editions = (ResendEdition(delivery.edition, readers, who, literal("")),) if readers else ()
    what = f"delivery {delivery_id}: {delivery.edition.subject}"
    return ResendPlan(what, terms, {}, editions, eligible, earlier, _waiting(session, earlier))


def _has_copy(earlier: Resend | None) -> ColumnElement[bool]:
    return planner.has_delivery_in(resend_slot(earlier.id)) if earlier else false()


def _waiting(session: Session, earlier: Resend | None) -> int:
    return queries.count_left(session, resend_slot(earlier.id)) if earlier else 0
