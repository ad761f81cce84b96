"""Finds the subscriber and the delivery that a bounce mail is about, by its tokens and Message-IDs.

Anyone can forge a mail that looks like a bounce. It therefore counts for a subscriber only if it carries a
token of theirs, or if it names both their address and the Message-ID of a mail that they were sent.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bounces.dsn import ReportedRecipient
from bounces.parser import BounceKind, ParsedBounce, Token
from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryState
from emails.identity import MailIdentity
from emails.kinds import RULES
from subscribers.links import by_any_handle, by_handle
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from subscribers.tokens import LinkPurpose, TokenError, read_token

_MAX_TOKENS = 10  # tokens of one mail that are verified
# A server gives up after four to five days (RFC 5321, 4.5.4.1), so a later bounce is about a newer mail.
_MAX_RETRY_TIME = timedelta(days=6)


@dataclass(frozen=True)
class BouncedSubscriber:
    """The subscriber whose mail bounced, and the delivery that bounced, if it is known.

    `address` is the one of theirs that the bounce is about: the present one, or the one that they want to move to. It
    is empty if that is not certain.
    """

    subscriber: Subscriber
    delivery: Delivery | None
    address: str


def find_subscriber(
    session: Session, bounce: ParsedBounce, identity: MailIdentity, now: datetime
) -> BouncedSubscriber | None:
    """The subscriber that a bounce mail is about, with the delivery, or None if it proves nothing."""
    delivery = _find_delivery(session, bounce)
    subscriber = _find_by_token(session, bounce, identity, now.date())
    if (
        subscriber is None
        and delivery
        and bounce.kind != BounceKind.UNSUBSCRIBE  # only a token can unsubscribe
        and _is_about(bounce, delivery.subscriber)
    ):
        subscriber = delivery.subscriber
    if subscriber is None or subscriber.status == SubscriberStatus.FORGOTTEN:
        return None
    if delivery and delivery.subscriber_id == subscriber.id:
        return BouncedSubscriber(subscriber, delivery, _address_of(bounce, delivery))
    return _match_without_message_id(session, bounce, subscriber, now)


def recipient_of(bounce: ParsedBounce, match: BouncedSubscriber | None) -> ReportedRecipient:
    """What a bounce reports about the subscriber, or about its first recipient.

    If the subscriber's mail is forwarded, the report is about the address that it is forwarded to.
    """
    email = match.address.lower() if match else ""
    own = (
        entry
        for entry in bounce.recipients
        if email in {entry.address.lower(), entry.original_address.lower()}
    )
    return next(own, next(iter(bounce.recipients), ReportedRecipient("")))


def find_sender_id(session: Session, bounce: ParsedBounce) -> int | None:
    """The id of the subscriber who seems to have sent a mail.

    The sender can be forged, so no action follows from it. It makes sure that the mail is erased when the
    subscriber is forgotten.
    """
    sender = select(Subscriber.id).where(func.lower(Subscriber.email) == bounce.sender.lower())
    return session.scalar(sender) if bounce.sender else None


def _find_by_token(
    session: Session, bounce: ParsedBounce, identity: MailIdentity, today: date
) -> Subscriber | None:
    """The subscriber of the first valid token.

    A request to unsubscribe counts only by the address it was sent to. A bounce may also quote a token from
    the original mail.
    """
    if bounce.kind == BounceKind.UNSUBSCRIBE:
        tokens: Sequence[Token] = [
            token for token in bounce.address_tokens if token.purpose == LinkPurpose.UNSUBSCRIBE
        ]
    else:
        tokens = [token for token in bounce.address_tokens if token.purpose == LinkPurpose.BOUNCE]
        tokens = [*tokens, *bounce.original_tokens]
    for token in tokens[:_MAX_TOKENS]:
        found = (
            _unsubscriber_of(session, token, identity, today)
            if bounce.kind == BounceKind.UNSUBSCRIBE
            else _subscriber_of(session, token, identity, today)
        )
        if found:
            return found
    return None


def _subscriber_of(session: Session, token: Token, identity: MailIdentity, today: date) -> Subscriber | None:
    """The subscriber whose token it is now. A bounce from an address that they have left says nothing about them."""
    with suppress(TokenError):
        return by_handle(session, read_token(identity.key, token.purpose, token.text, today))
    return None


def _unsubscriber_of(
    session: Session, token: Token, identity: MailIdentity, today: date
) -> Subscriber | None:
    """The subscriber whose token it is or was. A request to unsubscribe counts for ever, whatever has changed since."""
    for key in identity.unsubscribe_keys:
        with suppress(TokenError):
            return by_any_handle(session, read_token(key, token.purpose, token.text, today))
    return None


def _find_delivery(session: Session, bounce: ParsedBounce) -> Delivery | None:
    return session.scalar(select(Delivery).where(Delivery.message_id.in_(bounce.message_ids)).limit(1))


def _is_about(bounce: ParsedBounce, subscriber: Subscriber) -> bool:
    """Whether a bounce without a token names an address of the subscriber.

    Complaints may leave the address out (RFC 6590), so the Message-ID alone has to be enough for them.
    """
    own = {address.lower() for address in (subscriber.email, subscriber.new_email) if address}
    if bounce.kind == BounceKind.COMPLAINT and not bounce.recipient_addresses:
        return True
    return any(address.lower() in own for address in bounce.recipient_addresses)


def _address_of(bounce: ParsedBounce, delivery: Delivery) -> str:
    """The address that a delivery went to, or nothing if the subscriber may want to move somewhere else by now."""
    subscriber = delivery.subscriber
    if not RULES[delivery.edition.kind].to_new_address:
        return subscriber.email
    is_certain = not bounce.recipient_addresses or _names(bounce, subscriber.new_email)
    return subscriber.new_email if is_certain else ""


def _match_without_message_id(
    session: Session, bounce: ParsedBounce, subscriber: Subscriber, now: datetime
) -> BouncedSubscriber:
    """The match of a bounce of which only the subscriber is known: the last mail to the address that it names."""
    to_present = _last_accepted_delivery(session, subscriber, now, to_new_address=False)
    to_new = _last_accepted_delivery(session, subscriber, now, to_new_address=True)
    if to_new is None and not _names(bounce, subscriber.new_email):
        return BouncedSubscriber(subscriber, to_present, subscriber.email)
    if _names(bounce, subscriber.email):
        return BouncedSubscriber(subscriber, to_present, subscriber.email)
    if _names(bounce, subscriber.new_email):
        return BouncedSubscriber(subscriber, to_new, subscriber.new_email)
    # A mail was forwarded, or an address was given up before a move. Providers also disguise who complains (RFC 6590).
    if bounce.recipient_addresses and bounce.kind != BounceKind.COMPLAINT:
        return BouncedSubscriber(subscriber, None, "")
    accepted = [delivery for delivery in (to_present, to_new) if delivery]
    last = max(accepted, key=lambda delivery: (delivery.settled_at, delivery.id))
    return BouncedSubscriber(subscriber, last, _address_of(bounce, last))


def _names(bounce: ParsedBounce, address: str) -> bool:
    return bool(address) and address.lower() in {named.lower() for named in bounce.recipient_addresses}


def _last_accepted_delivery(
    session: Session, subscriber: Subscriber, now: datetime, *, to_new_address: bool
) -> Delivery | None:
    """The last mail to one of a subscriber's addresses that a server accepted, if it can still bounce."""
    kinds = [kind for kind, rules in RULES.items() if rules.to_new_address == to_new_address]
    accepted = select(Delivery).where(
        Delivery.subscriber_id == subscriber.id,
        Delivery.edition.has(EditionRow.kind.in_(kinds)),
        Delivery.state.in_((DeliveryState.SENT, DeliveryState.UNCERTAIN)),
        Delivery.settled_at > now - _MAX_RETRY_TIME,
    )
    return session.scalar(accepted.order_by(Delivery.settled_at.desc(), Delivery.id.desc()).limit(1))
