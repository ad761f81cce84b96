"""Account actions with the mails that they cause: sign-up, confirmation, farewell, change of address, forgetting.

Each function leaves the account and the outbox consistent. The caller commits, and sends.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, true
from sqlalchemy.orm import Session

from core.slots import WELCOME, welcome_slot
from delivery import cursors, events, planner
from delivery.bounce_log import forget_bounces
from delivery.editions import add_edition, edition_row, editions_with
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.kinds import MailKind
from emails.letters import subscriber_letter
from issues.queries import arrivals_after
from mailings.context import MailingRules
from mailings.next_mail import UnrenderedMailError, mail_or_fault
from subscribers import accounts, erasure
from subscribers.addresses import AccountError
from subscribers.models import RequestPurpose, SignupRequest, Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from subscribers.suppression import is_suppressed, may_confirm

MAX_MOVE_LETTERS_PER_DAY = 3  # more than one, because people mistype addresses
LETTER_INTERVAL = timedelta(days=1)  # between two letters of a kind that anybody can cause for an address


class SignupAnswer(StrEnum):
    """How a sign-up request was answered."""

    INVITED = "invited"
    REMINDED = "reminded"
    NOTHING = "nothing"


# --- signing up ---------------------------------------------------------------------


def answer_signup_requests(session: Session, identity: MailIdentity, now: datetime) -> list[SignupAnswer]:
    """Answer the requests for a sign-up or a settings link, each by at most one letter."""
    answers = []
    is_for_letter = SignupRequest.purpose != RequestPurpose.ISSUE_COPY
    # Another process of the pages may be answering some of them at this moment.
    requests = select(SignupRequest).where(is_for_letter).order_by(SignupRequest.id)
    requests = requests.with_for_update(skip_locked=True)
    for request in session.scalars(requests).all():
        try:
            answers.append(_answer(session, request, identity, now))
        except AccountError:  # the form accepted an address that is refused by now
            answers.append(SignupAnswer.NOTHING)
        session.delete(request)
        session.flush()
    return answers


def _answer(session: Session, request: SignupRequest, identity: MailIdentity, now: datetime) -> SignupAnswer:
    known = accounts.find(session, request.email)
    if request.purpose != RequestPurpose.SIGN_UP:
        return _send_settings_link(session, known, identity, now)
    if not may_confirm(session, request.email, now):
        return SignupAnswer.NOTHING
    if known and known.status in SUBSCRIBED:
        is_planned = plan_letter_once(session, known, MailKind.REMINDER, identity, now)
        return SignupAnswer.REMINDED if is_planned else SignupAnswer.NOTHING
    if known and _was_invited(session, known, now):
        return SignupAnswer.NOTHING
    pending = accounts.sign_up(
        session,
        request.email,
        language=request.language,
        frequency=request.frequency,
        detail=request.detail,
        now=now,
        origin=request.network,
    )
    plan_letter(session, pending, MailKind.CONFIRMATION, identity, now)
    return SignupAnswer.INVITED


def _send_settings_link(
    session: Session, known: Subscriber | None, identity: MailIdentity, now: datetime
) -> SignupAnswer:
    """Mail a subscriber the link to their settings. Nobody else is sent anything."""
    if known is None or known.status not in SUBSCRIBED:
        return SignupAnswer.NOTHING
    is_planned = plan_letter_once(session, known, MailKind.PREFERENCES_LINK, identity, now)
    return SignupAnswer.REMINDED if is_planned else SignupAnswer.NOTHING


def _was_invited(session: Session, known: Subscriber, now: datetime) -> bool:
    """Whether a confirmation was sent within a day. One who has left since then may be asked again."""
    since = now - LETTER_INTERVAL
    if known.status != SubscriberStatus.PENDING and known.ended_at:
        since = max(since, known.ended_at)
    return planner.count_letters_since(session, known.id, MailKind.CONFIRMATION, since) > 0


def confirm(
    session: Session,
    subscriber: Subscriber,
    identity: MailIdentity,
    rules: MailingRules,
    now: datetime,
    *,
    origin: str,
) -> None:
    """Begin a subscription and welcome the subscriber with the latest issue. A second call does nothing.

    Raises:
        AccountError: the sign-up is no longer open.
    """
    # A second click must see what the first one did, or it would move the cursor back to before the welcome's papers.
    session.refresh(subscriber, with_for_update={"key_share": True})
    if subscriber.status == SubscriberStatus.ACTIVE:
        return
    is_open = subscriber.created_at + accounts.SIGNUP_LIFETIME >= now
    if subscriber.status == SubscriberStatus.PENDING and not is_open:
        raise AccountError("this confirmation is no longer valid: sign up again")
    accounts.confirm(
        session, subscriber, now, origin=origin, wording=_version_of_wording(subscriber, identity)
    )
    session.flush()
    _welcome(session, subscriber, identity, rules, now)


def _version_of_wording(subscriber: Subscriber, identity: MailIdentity) -> str:
    """Identifies the text that the subscriber agreed to, for the record of consent."""
    letter = subscriber_letter(MailKind.CONFIRMATION, subscriber.language, subscriber.frequency, identity)
    return hashlib.sha256(letter.text.encode()).hexdigest()[:12]


def _welcome(
    session: Session, subscriber: Subscriber, identity: MailIdentity, rules: MailingRules, now: datetime
) -> None:
    arrived, _ = arrivals_after(session, now, rules.quiet_period, after=subscriber.cursor)
    restored = [arrival.number for arrival in arrived if arrival.restored]
    had = cursors.had_by(session, subscriber.id, editions_with(session, restored)) if restored else set()
    unread = [arrival for arrival in arrived if arrival.number not in had]
    spec = MailSpec(
        WELCOME, subscriber.language, subscriber.frequency, MailKind.WELCOME_DIGEST, subscriber.detail
    )
    try:
        mail = mail_or_fault(unread, subscriber.cursor, spec, identity, rules.daily_papers)
    except UnrenderedMailError:
        # The digest run tells the operator, and the subscriber is welcome all the same.
        mail = None
    if mail is None:
        plan_letter(session, subscriber, MailKind.WELCOME, identity, now)
        return
    edition = mail.edition
    row = add_edition(
        session,
        edition_row(spec, mail.rendered.content, now, edition=edition, after_cursor=subscriber.cursor),
    )
    planner.plan_digest(
        session,
        welcome_slot(now),
        [(row, true())],
        planner.Batch(subscriber.id, subscriber.id),
        domain=identity.domain,
        now=now,
    )


def expire_sign_ups(session: Session, now: datetime) -> int:
    """Drop the sign-ups that were not confirmed in time, and count them."""
    expired = accounts.expired_sign_ups(session, now)
    for subscriber in expired:
        if not subscriber.confirmed_at:
            _cancel_mails(session, subscriber)
        accounts.expire(session, subscriber, now)
    session.flush()
    return len(expired)


# --- leaving, moving, being forgotten -----------------------------------------------


def unsubscribe(
    session: Session,
    subscriber: Subscriber,
    identity: MailIdentity,
    now: datetime,
    *,
    origin: str,
    reason: str = "",
) -> None:
    """End a subscription at once, and say farewell the first time."""
    was_subscribed = subscriber.status in SUBSCRIBED
    accounts.unsubscribe(subscriber, now, origin=origin, reason=reason)
    session.flush()
    if was_subscribed:
        plan_letter_once(session, subscriber, MailKind.FAREWELL, identity, now)


def request_address_change(
    session: Session,
    subscriber: Subscriber,
    address: str,
    identity: MailIdentity,
    now: datetime,
    *,
    origin: str,
) -> None:
    """Write to the address that a subscriber wants to be mailed at, unless it has a subscription of its own.

    Raises:
        AccountError: the address cannot be mailed.
    """
    accounts.request_address_change(session, subscriber, address, now, origin=origin)
    taken = accounts.find(session, subscriber.new_email)
    if taken is None and not is_suppressed(session, subscriber.new_email):
        plan_letter_once(
            session, subscriber, MailKind.MOVE, identity, now, max_per_day=MAX_MOVE_LETTERS_PER_DAY
        )


def forget(session: Session, subscriber: Subscriber, identity: MailIdentity, now: datetime) -> None:
    """Erase everything that is stored about a subscriber."""
    _cancel_mails(session, subscriber)
    erasure.forget(session, subscriber, identity.key, now)


def _cancel_mails(session: Session, subscriber: Subscriber) -> None:
    events.cancel(session, subscriber.id)
    forget_bounces(session, subscriber.id)


# --- letters ------------------------------------------------------------------------


def plan_letter(
    session: Session, subscriber: Subscriber, kind: MailKind, identity: MailIdentity, now: datetime
) -> None:
    """Plan a letter to a subscriber."""
    letter = subscriber_letter(kind, subscriber.language, subscriber.frequency, identity)
    planner.plan_letter(session, kind, letter, subscriber, domain=identity.domain, now=now)


def plan_letter_once(
    session: Session,
    subscriber: Subscriber,
    kind: MailKind,
    identity: MailIdentity,
    now: datetime,
    *,
    max_per_day: int = 1,
) -> bool:
    """Plan a letter unless enough of its kind were planned within a day. Returns whether it was planned."""
    if planner.count_letters_since(session, subscriber.id, kind, now - LETTER_INTERVAL) >= max_per_day:
        return False
    plan_letter(session, subscriber, kind, identity, now)
    return True
