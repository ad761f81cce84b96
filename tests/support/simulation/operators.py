"""What operators do by hand, and what comes back to them."""

from contextlib import suppress as suppress_error
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import PaperboyError
from delivery.events import mark_bounced
from delivery.models import Delivery
from delivery.states import DeliveryKind, DeliveryState
from issues.models import Issue
from issues.store import StoreError
from mailings.held_issues import release_issue
from mailings.resend.execute import execute
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendGroup, ResendRequest
from mailings.restore import reconcile
from subscribers import accounts
from subscribers.addresses import AccountError
from subscribers.choices import Choices
from subscribers.models import Subscriber
from subscribers.status import SUBSCRIBED
from subscribers.suppression import suppress, unsuppress
from tests.support.factories import IDENTITY
from tests.support.simulation import people
from tests.support.simulation.forum import SimulatedPost
from tests.support.simulation.newsletter import RULES, Newsletter


def add_subscriber(newsletter: Newsletter, number: int, choices: Choices) -> None:
    """An operator adds somebody who agreed elsewhere. No mail is sent."""
    person, now = newsletter.person(number), newsletter.now
    with newsletter.database.sessions.begin() as session, suppress_error(PaperboyError):
        known = accounts.find(session, person.address)
        if known and known.status in SUBSCRIBED:
            return
        subscriber = accounts.sign_up(session, person.address, **vars(choices), now=now)
        accounts.confirm(session, subscriber, now)
        people.begin(newsletter, person, subscriber)


def suppress_address(newsletter: Newsletter, number: int) -> None:
    """Somebody's address must not be mailed any more."""
    with newsletter.database.sessions.begin() as session:
        if accounts.find(session, address := newsletter.person(number).address):
            suppress(session, address, "the simulation", newsletter.now)


def lift_suppression(newsletter: Newsletter, number: int) -> None:
    """Somebody's address may be mailed again. After a long absence they begin with the latest issue."""
    person = newsletter.person(number)
    with newsletter.database.sessions.begin() as session, suppress_error(AccountError):
        known = accounts.find(session, person.address)
        left_at = known.ended_at if known else None
        subscriber = unsuppress(session, person.address, newsletter.now)
        was_away_for_long = left_at is not None and newsletter.now - left_at > timedelta(days=30)
        if subscriber and subscriber.status in SUBSCRIBED and was_away_for_long:
            people.begin(newsletter, person, subscriber)


def return_last_mail(newsletter: Newsletter, number: int) -> None:
    """Somebody's last digest comes back, because the address does not exist any more."""
    with newsletter.database.sessions.begin() as session:
        subscriber = accounts.find(session, newsletter.person(number).address)
        if subscriber and (last := _last_sent(session, subscriber)):
            mark_bounced(session, last.id, "5.1.1 no such user")
            suppress(session, subscriber.email, "the simulation", newsletter.now)


def _last_sent(session: Session, subscriber: Subscriber) -> Delivery | None:
    sent = select(Delivery).where(
        Delivery.subscriber_id == subscriber.id,
        Delivery.kind == DeliveryKind.DIGEST,
        Delivery.state == DeliveryState.SENT,
    )
    return session.scalar(sent.order_by(Delivery.id.desc()).limit(1))


def release(newsletter: Newsletter, post: SimulatedPost) -> None:
    """An operator releases the held post of a new author."""
    with newsletter.database.sessions.begin() as session:
        issue = _issue(session, post.topic_id)
        is_archive = issue.archived
        release_issue(session, issue, newsletter.now)
    newsletter.expectation.put_in_force(post, post.papers, is_archive=is_archive)


def mail_archived(newsletter: Newsletter, post: SimulatedPost) -> None:
    """An operator lets an issue of the archive be mailed after all, unless nobody can tell who has had it."""
    try:
        with newsletter.database.sessions.begin() as session:
            newsletter.note_pruned_papers(session)
            release_issue(session, _issue(session, post.topic_id), newsletter.now)
    except StoreError as error:
        assert "nobody can tell" in str(error)  # noqa: PT017  any other refusal is a fault
    else:
        newsletter.expectation.mail_archived(post.topic_id)


def post_again(newsletter: Newsletter, post: SimulatedPost) -> None:
    """The editors post a week once more with one more paper. It is held, and the operator releases it."""
    again = newsletter.forum.repost(post, newsletter.now)
    report = newsletter.take([again])
    if report is None:
        return
    assert [entry["topic_id"] for entry in report.held] == [again.topic_id], "a second topic is held"
    with newsletter.database.sessions.begin() as session:
        issue = _issue(session, again.topic_id)
        is_archive = issue.archived
        release_issue(session, issue, newsletter.now)
    newsletter.expectation.put_in_force(again, again.papers[-1:], is_archive=is_archive)


def resend(newsletter: Newsletter, post: SimulatedPost, group: ResendGroup, number: int | None) -> None:
    """An operator sends copies of an issue to a group, or to one person. Nothing may be there to send."""
    to = newsletter.person(number).address if number else ""
    groups = () if to else (group,)
    request = ResendRequest(issue=str(post.topic_id), to=to, groups=groups, reason="the simulation")
    with suppress_error(PaperboyError), newsletter.context() as context:
        with newsletter.database.sessions() as session:
            plan = plan_resend(session, request, IDENTITY, newsletter.now)
        execute(context, plan, asked_by="the simulation", rules=RULES, now=newsletter.now)


def reconcile_with_log(newsletter: Newsletter) -> None:
    """An operator compares the outbox with the log of the mail server, which names every mail."""
    log = [f"accepted <{message_id.strip('<>')}>\n" for message_id in newsletter.transport.accepted]
    beginning = datetime(2025, 1, 1, tzinfo=UTC)
    reconcile(
        newsletter.database.sessions,
        log,
        domain=IDENTITY.domain,
        now=newsletter.now,
        complete_since=beginning,
    )


def _issue(session: Session, topic_id: int) -> Issue:
    return session.scalars(select(Issue).where(Issue.topic_id == topic_id)).one()
