"""Copies that subscribers ask for themselves."""

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from mailings.own_copies import answer_copy_requests
from subscribers.models import RequestPurpose, SignupRequest
from tests.support.account_actions import MINJI, publish, subscribe
from tests.support.factories import IDENTITY, NOW


def ask_for_copy(database: Database, address: str) -> None:
    """Ask for a copy of the issue as the form in the archive does."""
    with database.sessions.begin() as session:
        session.add(
            SignupRequest(
                email=address,
                language=Language.KO,
                frequency=Frequency.WEEKLY,
                network="192.0.2.0/24",
                purpose=RequestPurpose.ISSUE_COPY,
                topic_id=9001,
                received_at=NOW,
            )
        )


def test_a_request_with_an_address_that_is_refused_by_now_does_not_stop_the_next(database: Database) -> None:
    """A newer version of the library that checks addresses can refuse what the form has accepted."""
    publish(database)
    subscribe(database, MINJI)
    ask_for_copy(database, "minji@localhost")
    ask_for_copy(database, MINJI)
    assert answer_copy_requests(database.sessions, IDENTITY, NOW) == 1
    assert answer_copy_requests(database.sessions, IDENTITY, NOW) == 0, "each request is answered once"
