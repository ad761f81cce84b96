"""What an operator's request for copies would do: who would get what, and why. `mailings.resend.execute` sends them.

A request is made once: made again, it reaches only those whom it has not reached yet.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, literal, select, true
from sqlalchemy.orm import Session

from delivery import planner, queries
from delivery.models import Delivery, EditionRow, Resend
from emails.edition import EmptyIssueError, copy_of
from emails.message import House, widest
from emails.rendering.fit import size_of
from emails.rendering.render import LIMIT, render
from issues import store
from issues.arrivals import whole_issue
from issues.models import Issue
from mailings.resend import eligibility
from mailings.resend.eligibility import Group, Needs, PaperClass, RequestError
from subscribers import accounts
from subscribers.models import Subscriber

REASON_LENGTH = 200


@dataclass(frozen=True)
class Request:
    """What an operator asks for, and why.

    What: an `issue` (its first day or topic id), of it only the corrected papers (`is_correction`), or a
    `delivery` (its id) once more. To whom: one address (`to`), or the `groups`, perhaps only those of one
    language or frequency; without groups a correction goes to those who got the old text.
    """

    issue: str = ""
    delivery: int | None = None
    is_correction: bool = False
    to: str = ""
    groups: tuple[Group, ...] = ()
    language: str = ""
    frequency: str = ""
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Batch:
    """One edition and its readers: a condition on subscribers, and which mail their copies reply to."""

    edition: EditionRow
    readers: int
    who: ColumnElement[bool]
    in_reply_to: ColumnElement[str]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a request would do. `earlier` is the same request made before, of which `waiting` copies are not
    sent yet; `terms` is what was asked, with no address in it; `old_copies` are editions of copies with a
    text that was corrected since."""

    what: str
    terms: dict[str, Any]
    old_copies: tuple[int, ...]
    batches: tuple[Batch, ...]
    found: Needs
    earlier: Resend | None
    waiting: int

    @property
    def copies(self) -> int:
        """How many copies it adds."""
        return sum(batch.readers for batch in self.batches)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.copies or self.waiting)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON values, with addresses shortened."""
        return {
            "what": self.what,
            "reason": self.terms["reason"],
            "copies": self.copies,
            "reasons": dict(self.found.reasons),
            "left_out": dict(self.found.left_out),
            "sample": [f"{masked(address)} (subscriber {id_})" for id_, address in self.found.sample],
            "editions": [edition_entry(batch) for batch in self.batches],
            "asked_before": self.earlier and self.earlier.asked_at.isoformat(timespec="seconds"),
            "waiting": self.waiting,
        }

    @property
    def fingerprint(self) -> str:
        """Another one when other readers or texts would be mailed: only what was shown can be approved."""
        shown = {
            name: value for name, value in self.as_json().items() if name not in {"waiting", "asked_before"}
        }
        return key_of([shown, self.found.checksum, [batch.edition.html for batch in self.batches]])


def masked(address: str) -> str:
    """An address by which an operator knows a reader, and others do not."""
    local, _, domain = address.rpartition("@")
    return f"{local[:2]}…@{domain}"


def edition_entry(batch: Batch) -> dict[str, Any]:
    edition = batch.edition
    return {
        "language": edition.language,
        "subject": edition.subject,
        "papers": len(edition.papers),
        "readers": batch.readers,
        "bytes": len(edition.html.encode()),
        "fill": round(size_of(edition.html).most / LIMIT, 3),
    }


def key_of(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


# --- the plan -----------------------------------------------------------------------


def plan(session: Session, request: Request, house: House, now: datetime) -> Plan:
    """Who would get what by the request; nothing is stored.

    Raises:
        RequestError: it is not clear what or to whom, or there is nothing of the kind.
        StoreError, EmptyIssueError: there is no such issue, or it has no paper in force.
        AccountError: the address is no active reader's.
    """
    _check(request)
    if request.delivery is not None:
        return _plan_delivery(session, request, request.delivery)
    return _plan_issue(session, request, store.find(session, request.issue), house, now)


def _check(request: Request) -> None:
    if (request.delivery is None) == (not request.issue):
        raise RequestError("name an issue or a delivery: one of them")
    chosen = (request.to, request.groups, request.language, request.frequency, request.is_correction)
    if request.delivery is not None:
        if any(chosen):
            raise RequestError("a delivery is sent again as it was, to its reader: leave out all else")
        return
    if request.to and any(chosen[1:4]):
        raise RequestError("one address needs no group, language or frequency")
    if not any(chosen):
        raise RequestError("say to whom: an address, a group, a language or a frequency")
    if unknown := [group for group in request.groups if group not in eligibility.GROUPS]:
        raise RequestError(f"there is no group {unknown[0]!r}: there are {', '.join(eligibility.GROUPS)}")
    accounts.check_choice(request.language or "ko", request.frequency or "daily")


def _plan_issue(session: Session, request: Request, issue: Issue, house: House, now: datetime) -> Plan:
    classes = eligibility.classes_of(session, issue, only_corrected=request.is_correction)
    if not classes:
        if request.is_correction:
            raise RequestError(f"no paper of the issue of {issue.week_start} was corrected")
        raise EmptyIssueError(f"the issue of {issue.week_start} has no paper in force; is it held?")
    groups = request.groups or (("outdated",) if request.is_correction and not request.to else ("everyone",))
    reader = _active_reader(session, request.to) if request.to else None
    terms = {
        "issue": issue.topic_id,
        "revision": issue.revision,
        "correction": request.is_correction,
        "subscriber": reader and reader.id,
        "groups": sorted(set(groups)),
        "language": request.language,
        "frequency": request.frequency,
        "reason": accounts.clean_line(request.reason, REASON_LENGTH),
    }
    earlier = earlier_request(session, terms)
    who, has_copy = _whom(request, reader), _has_copy(earlier)
    found = eligibility.needs(session, classes, groups, who, has_copy)
    # Whoever is sent a copy by another request meanwhile needs none any more.
    last = session.scalar(select(func.max(Delivery.id))) or 0
    may_get = and_(eligibility.may_get(has_copy), ~eligibility.has_copy_since(last, edition_slot(issue)))
    mask = eligibility.mask_of(classes, groups)
    batches = tuple(
        Batch(
            edition=_edition(
                issue, eligibility.papers_in(classes, share.mask), share.language, request, house, now
            ),
            readers=share.readers,
            who=and_(who, may_get, Subscriber.language == share.language, mask == share.mask),
            in_reply_to=_first_mail(classes, share.mask) if request.is_correction else literal(""),
        )
        for share in found.shares
    )
    what = f"{'corrected papers of ' if request.is_correction else ''}{issue.title}"
    old_copies = _old_copies(session, issue, classes)
    return Plan(what, terms, old_copies, batches, found, earlier, _waiting(session, earlier))


def _old_copies(session: Session, issue: Issue, classes: Sequence[PaperClass]) -> tuple[int, ...]:
    outdated = frozenset[int]().union(*(papers.outdated for papers in classes))
    copies = select(EditionRow.id).where(EditionRow.slot == edition_slot(issue), EditionRow.id.in_(outdated))
    return tuple(session.scalars(copies))


def _active_reader(session: Session, address: str) -> Subscriber:
    reader = accounts.find(session, address)
    if reader is None or reader.status != "active":
        state = reader.status if reader else "not subscribed"
        raise accounts.AccountError(f"{address} is {state}: only active readers are mailed")
    return reader


def _whom(request: Request, reader: Subscriber | None) -> ColumnElement[bool]:
    who: ColumnElement[bool] = true()
    if reader:
        who = and_(who, Subscriber.id == reader.id)
    if request.language:
        who = and_(who, Subscriber.language == request.language)
    if request.frequency:
        who = and_(who, Subscriber.frequency == request.frequency)
    return who


def _edition(
    issue: Issue, numbers: set[int], language: str, request: Request, house: House, now: datetime
) -> EditionRow:
    edition = copy_of(
        [arrival for arrival in whole_issue(issue) if arrival.number in numbers],
        slot=edition_slot(issue),
        language=language,
        purpose="correction" if request.is_correction else "copy",
    )
    return planner.draft(edition, render(edition, archive=house.archive, widest=widest(house)), 0, now)


def edition_slot(issue: Issue) -> str:
    """The slot of all copies of an issue's papers."""
    return f"resend:{issue.topic_id}"


def _first_mail(classes: Sequence[PaperClass], mask: int) -> ColumnElement[str]:
    return eligibility.first_mail(papers for place, papers in enumerate(classes) if mask >> place & 1)


def _plan_delivery(session: Session, request: Request, delivery_id: int) -> Plan:
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.kind == "letter":
        raise RequestError(
            f"there is no digest with the delivery id {delivery_id}; `paperboy show` names them"
        )
    if delivery.due_at is not None or delivery.state == "skipped":
        raise RequestError(
            f"the delivery {delivery_id} is {delivery.state}: there is nothing to send again yet"
        )
    reader = _active_reader(session, delivery.subscriber.email)
    reason = accounts.clean_line(request.reason, REASON_LENGTH)
    terms = {"delivery": delivery_id, "subscriber": reader.id, "reason": reason}
    earlier = earlier_request(session, terms)
    has_copy = _has_copy(earlier)
    who = and_(Subscriber.id == reader.id, eligibility.may_get(has_copy))
    readers = session.query(Subscriber.id).where(who).count()
    against = {} if readers else {eligibility.SENT_BEFORE if earlier else "suppressed": 1}
    found = Needs((), Counter(everyone=readers), Counter(against), ((reader.id, reader.email),))
    batches = (Batch(delivery.edition, readers, who, literal("")),) if readers else ()
    what = f"delivery {delivery_id}: {delivery.edition.subject}"
    return Plan(what, terms, (), batches, found, earlier, _waiting(session, earlier))


def earlier_request(session: Session, terms: dict[str, Any]) -> Resend | None:
    return session.scalar(select(Resend).where(Resend.key == key_of(terms)))


def is_of_copies(queue: str) -> bool:
    """Whether copies by an operator's hand wait in the queue."""
    return queue.startswith("resend:")


def slot_of_copies(resend: Resend) -> str:
    return f"resend:{resend.id}"


def _has_copy(earlier: Resend | None) -> ColumnElement[bool]:
    return planner.has_mail_in(slot_of_copies(earlier)) if earlier else false()


def _waiting(session: Session, earlier: Resend | None) -> int:
    return queries.count_left(session, slot_of_copies(earlier)) if earlier else 0
