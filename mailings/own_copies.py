"""Copies that subscribers ask for themselves: of a mail in their history, or of an issue in the archive. A few a day."""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Sessions
from core.errors import PaperboyError
from delivery.models import Delivery
from delivery.states import DeliveryKind
from emails.identity import MailIdentity
from mailings.resend.execute import enqueue
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendRequest
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.models import RequestPurpose, SignupRequest, Subscriber
from subscribers.status import SubscriberStatus

MAX_COPIES_PER_DAY = 3
DAY = timedelta(days=1)
ASKED_BY = "the subscriber"


def send_mail_again(
    sessions: Sessions, subscriber: Subscriber, delivery_id: int, identity: MailIdentity, now: datetime
) -> bool:
    """Plan a copy of one of a subscriber's mails. Returns whether it was planned.

    It is not if the mail is not theirs, cannot be sent again, or they have had MAX_COPIES_PER_DAY copies.
    """
    with sessions() as session:
        delivery = session.get(Delivery, delivery_id)
        if delivery is None or delivery.subscriber_id != subscriber.id:
            return False
    return _enqueue(
        sessions, subscriber, ResendRequest(delivery=delivery_id, reason=_reason(now)), identity, now
    )


def answer_copy_requests(sessions: Sessions, identity: MailIdentity, now: datetime) -> int:
    """Answer the requests for copies of issues. Only active subscribers get one. Returns how many were planned."""
    planned = 0
    while request := _take_request(sessions):
        subscriber, topic_id = request
        if subscriber and subscriber.status == SubscriberStatus.ACTIVE:
            wanted = ResendRequest(issue=str(topic_id), to=subscriber.email, reason=_reason(now))
            planned += _enqueue(sessions, subscriber, wanted, identity, now)
    return planned


def _take_request(sessions: Sessions) -> tuple[Subscriber | None, int | None] | None:
    """Take the next request for a copy: who asks, and for which topic. None if there is none."""
    with sessions.begin() as session:
        request = session.scalar(
            select(SignupRequest)
            .where(SignupRequest.purpose == RequestPurpose.ISSUE_COPY)
            .order_by(SignupRequest.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if request is None:
            return None
        session.delete(request)
        subscriber = None
        with suppress(AccountError):  # the form accepted an address that is refused by now
            subscriber = accounts.find(session, request.email)
        return subscriber, request.topic_id


def _enqueue(
    sessions: Sessions, subscriber: Subscriber, request: ResendRequest, identity: MailIdentity, now: datetime
) -> bool:
    with suppress(PaperboyError):  # there is nothing to send, or not now
        with sessions() as session:
            if _count_copies(session, subscriber, now - DAY) >= MAX_COPIES_PER_DAY:
                return False
            plan = plan_resend(session, request, identity, now)
        if plan.copies:
            enqueue(sessions, plan, asked_by=ASKED_BY, domain=identity.domain, now=now)
            return True
    return False


def _count_copies(session: Session, subscriber: Subscriber, since: datetime) -> int:
    rows = select(func.count()).where(
        Delivery.subscriber_id == subscriber.id,
        Delivery.kind == DeliveryKind.RESEND,
        Delivery.planned_at > since,
    )
    return session.scalar(rows) or 0


def _reason(now: datetime) -> str:
    """The reason that is kept. With the time in it, asking again is another request."""
    return f"asked for by the subscriber at {now:%Y-%m-%d %H:%M}"
