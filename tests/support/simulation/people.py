"""What people do about their subscriptions. Each act that is not possible for them at that moment changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress as suppress_error
from datetime import timedelta

from sqlalchemy.orm import Session

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from mailings import account_mails
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.choices import Choices
from subscribers.models import SignupRequest, Subscriber
from subscribers.status import SUBSCRIBED, SubscriberStatus
from tests.support.factories import IDENTITY
from tests.support.simulation.newsletter import RULES, Newsletter, Person

ORIGIN = "the simulation"


def sign_up(newsletter: Newsletter, number: int, choices: Choices) -> None:
    """Somebody fills in the form. The next answer to it is a letter."""
    request = SignupRequest(
        email=newsletter.person(number).address,
        language=choices.language,
        frequency=choices.frequency,
        detail=choices.detail,
        network="",
        received_at=newsletter.now,
    )
    with newsletter.database.sessions.begin() as session:
        session.add(request)
        session.flush()
        account_mails.answer_signup_requests(session, IDENTITY, newsletter.now)


def confirm(newsletter: Newsletter, number: int) -> None:
    """Somebody uses the link in the confirmation, and is welcomed with the latest issue."""
    person = newsletter.person(number)
    with newsletter.database.sessions.begin() as session, suppress_error(AccountError):
        subscriber = accounts.find(session, person.address)
        if subscriber and subscriber.status == SubscriberStatus.PENDING:
            account_mails.confirm(session, subscriber, IDENTITY, RULES, newsletter.now, origin=ORIGIN)
            begin(newsletter, person, subscriber)


def begin(newsletter: Newsletter, person: Person, subscriber: Subscriber) -> None:
    """A subscription begins with the latest issue, or where it stopped if that is later."""
    person.subscriber_id = subscriber.id
    person.start = max(person.start or 0, newsletter.expectation.start_of_latest())


def change(
    newsletter: Newsletter,
    number: int,
    *,
    language: Language | None = None,
    frequency: Frequency | None = None,
    detail: Detail | None = None,
) -> None:
    """Somebody changes what they get; what is None stays."""
    with _subscribed(newsletter, number) as (session, subscriber):
        if subscriber:
            accounts.change(
                session,
                subscriber,
                newsletter.now,
                language=language,
                frequency=frequency,
                detail=detail,
            )


def pause(newsletter: Newsletter, number: int, days: int | None = None) -> None:
    """Somebody pauses, perhaps for some days."""
    until = (newsletter.now + timedelta(days=days)).date() if days else None
    with _subscribed(newsletter, number) as (_, subscriber):
        if subscriber:
            accounts.pause(subscriber, newsletter.now, until=until)


def resume(newsletter: Newsletter, number: int) -> None:
    """Somebody resumes."""
    with _subscribed(newsletter, number) as (_, subscriber):
        if subscriber:
            accounts.resume(subscriber, newsletter.now)


def unsubscribe(newsletter: Newsletter, number: int) -> None:
    """Somebody leaves, and gets a farewell."""
    with _subscribed(newsletter, number) as (session, subscriber):
        if subscriber:
            account_mails.unsubscribe(session, subscriber, IDENTITY, newsletter.now, origin=ORIGIN)


def undo_unsubscribe(newsletter: Newsletter, number: int) -> None:
    """Somebody takes the unsubscription back. After a long absence they begin with the latest issue."""
    person = newsletter.person(number)
    with newsletter.database.sessions.begin() as session, suppress_error(AccountError):
        subscriber = accounts.find(session, person.address)
        if subscriber is None:
            return
        left_at = subscriber.ended_at
        accounts.undo_unsubscribe(session, subscriber, newsletter.now)
        if left_at and newsletter.now - left_at > timedelta(days=30):
            begin(newsletter, person, subscriber)


def move(newsletter: Newsletter, number: int) -> None:
    """Somebody moves to another address."""
    person = newsletter.person(number)
    with _subscribed(newsletter, number) as (session, subscriber):
        if subscriber is None:
            return
        left = person.address
        person.abandoned.add(left)
        person.use_new_address()
        newsletter.transport.moves[left] = person.address
        account_mails.request_address_change(
            session, subscriber, person.address, IDENTITY, newsletter.now, origin=ORIGIN
        )
        accounts.change_address(session, subscriber, newsletter.now)


def forget(newsletter: Newsletter, number: int) -> None:
    """Somebody has everything erased that is stored about them. They become another person."""
    person = newsletter.person(number)
    with newsletter.database.sessions.begin() as session:
        subscriber = accounts.find(session, person.address)
        if subscriber is None:
            return
        account_mails.forget(session, subscriber, IDENTITY, newsletter.now)
        person.abandoned |= set(person.addresses)
        person.start, person.subscriber_id, person.addresses = None, None, []
        person.use_new_address()


@contextmanager
def _subscribed(newsletter: Newsletter, number: int) -> Iterator[tuple[Session, Subscriber | None]]:
    """A transaction with the subscriber, or with None if the person is not subscribed."""
    with newsletter.database.sessions.begin() as session:
        subscriber = accounts.find(session, newsletter.person(number).address)
        yield session, subscriber if subscriber and subscriber.status in SUBSCRIBED else None
