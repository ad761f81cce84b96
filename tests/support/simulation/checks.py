"""What must hold after every act, and what must have come to everybody at the end."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.frequencies import Frequency
from delivery.models import Delivery, EditionRow
from delivery.states import DeliveryKind, DeliveryState
from issues.models import Paper
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus
from tests.support.simulation import people
from tests.support.simulation.newsletter import Newsletter, Person, number_of

LOST_STATES = (DeliveryState.FAILED, DeliveryState.UNCERTAIN)  # the operator sees these
MAX_CALM_WEEKS = 60


def check_now(newsletter: Newsletter) -> None:
    """Nobody got a paper that they must not get, and no cursor has passed a paper that nothing brings."""
    check_received(newsletter)
    with newsletter.database.sessions() as session:
        stored = {paper.number: paper for paper in session.scalars(select(Paper))}
        for person in newsletter.people.values():
            if person.start is not None and person.subscriber_id:
                _check_cursor(newsletter, session, person, stored)


def check_received(newsletter: Newsletter) -> None:
    """Nobody got a paper twice, one of the archive, or a later one first."""
    digests, expectation = received(newsletter), newsletter.expectation
    for person in newsletter.people.values():
        papers = [number for address in person.addresses for number in digests.get(address, [])]
        assert len(papers) == len(set(papers)), f"{person.address} got a paper twice: {papers}"
        archived = set(papers) & (expectation.archive - expectation.was_news)
        assert not archived, f"{person.address} got papers of the archive: {archived}"
        places = [expectation.order[number] for number in papers if expectation.keeps_its_place(number)]
        assert places == sorted(places), f"{person.address} got a later paper first: {papers}"


def received(newsletter: Newsletter, *, with_copies: bool = False) -> dict[str, list[int]]:
    """The papers that came to each address in digests, in order, perhaps with the copies that an operator sent."""
    with newsletter.database.sessions() as session:
        copies = set(session.scalars(select(Delivery.message_id).where(Delivery.kind == DeliveryKind.RESEND)))
    copies |= newsletter.pruned.copies
    papers: dict[str, list[int]] = {}
    for message_id, mail in newsletter.transport.accepted.items():
        if with_copies or message_id.strip("<>") not in copies:
            papers.setdefault(mail.to, []).extend(mail.papers)
    return papers


def _check_cursor(newsletter: Newsletter, session: Session, person: Person, stored: dict[int, Paper]) -> None:
    """Every paper that the cursor has passed is in a delivery that was not skipped."""
    subscriber = session.get_one(Subscriber, person.subscriber_id)
    passed = {
        number_of(paper)
        for paper in stored.values()
        if paper.arrival_order <= subscriber.cursor and paper.withdrawn_at is None and not paper.archived
    }
    brought = _papers_of(newsletter, session, subscriber.id, stored, DeliveryState.SKIPPED, is_excluded=True)
    missing = (passed & newsletter.expectation.due(person.start or 0)) - brought
    assert not missing, f"the cursor of {person.address} has passed {missing}, which no delivery brings"


def _papers_of(
    newsletter: Newsletter,
    session: Session,
    subscriber_id: int,
    stored: dict[int, Paper],
    *states: DeliveryState,
    is_excluded: bool = False,
) -> set[int]:
    """The papers in deliveries to a subscriber that are (or are not) in these states, or were when they were pruned."""
    is_among = Delivery.state.not_in(states) if is_excluded else Delivery.state.in_(states)
    editions = select(EditionRow.papers).join(Delivery)
    editions = editions.where(Delivery.subscriber_id == subscriber_id, is_among)
    pruned = {
        number
        for whose, state, number in newsletter.pruned.papers
        if whose == subscriber_id and (state in states) != is_excluded
    }
    found = pruned.union(*session.scalars(editions))
    return {number_of(stored[number]) for number in found if number in stored}


def check_that_everything_came(newsletter: Newsletter) -> None:
    """Weeks pass without trouble. Then every active subscriber has every paper, or the operator knows of it."""
    _let_calm_weeks_pass(newsletter)
    mails = received(newsletter, with_copies=True)
    with newsletter.database.sessions() as session:
        stored = {paper.number: paper for paper in session.scalars(select(Paper))}
        for person in newsletter.people.values():
            if person.subscriber_id is None or person.start is None:
                continue
            subscriber = session.get_one(Subscriber, person.subscriber_id)
            if subscriber.status != SubscriberStatus.ACTIVE:
                continue
            known = {number for address in person.addresses for number in mails.get(address, [])}
            known |= _papers_of(newsletter, session, subscriber.id, stored, *LOST_STATES)
            missed = newsletter.expectation.due(person.start) - known
            assert not missed, f"{person.address} never got {missed}"


def _let_calm_weeks_pass(newsletter: Newsletter) -> None:
    newsletter.transport.calm_down()
    for post in newsletter.forum.posts:
        if post.lacks_title:
            newsletter.forum.set_title(post, is_there=True)
    newsletter.read_forum()
    for number in newsletter.people:
        people.resume(newsletter, number)
    calm_weeks = 0
    for _ in range(MAX_CALM_WEEKS):
        attempts = newsletter.transport.attempts
        newsletter.now += timedelta(days=7)
        for frequency in Frequency:
            newsletter.run(frequency)
        newsletter.run("upkeep")
        check_now(newsletter)
        calm_weeks = calm_weeks + 1 if newsletter.transport.attempts == attempts else 0
        if calm_weeks == 2:
            return
    raise AssertionError(f"after {MAX_CALM_WEEKS} calm weeks there is still something to send")
