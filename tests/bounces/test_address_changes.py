"""While a subscriber moves to a new address, a bounce counts for the address that it is about, and for no other."""

from datetime import timedelta

from core.database import Database
from delivery.states import DeliveryKind
from emails.message import Message
from subscribers.accounts import find
from subscribers.suppression import is_suppressed
from tests.support.bounce_mails import MINJI, bounce_report, handle_bounce, sent_mail, subscriber_status
from tests.support.factories import NOW

MISTYPED, CORRECT = "mistyped@example.com", "correct@example.com"
NO_ORIGINAL = "Subject: the original mail is left out\n\n"


def _suppressed(database: Database) -> list[str]:
    with database.sessions() as session:
        return [address for address in (MINJI, MISTYPED, CORRECT) if is_suppressed(session, address)]


def _want_to_move(database: Database, address: str) -> None:
    with database.sessions.begin() as session:
        found = find(session, MINJI)
        assert found
        found.new_email = address


def _letter_to_new_address(database: Database) -> Message:
    return sent_mail(database, slot="move:1234", kind=DeliveryKind.LETTER)


def test_a_bounce_of_a_letter_to_a_mistyped_address_spares_the_next_one(sqlite_database: Database) -> None:
    letter = _letter_to_new_address(sqlite_database)
    _want_to_move(sqlite_database, CORRECT)
    assert handle_bounce(sqlite_database, bounce_report(letter, about=MISTYPED)) == "counted"
    assert _suppressed(sqlite_database) == []


def test_a_bounce_from_a_new_address_spares_the_present_one_after_a_later_digest(
    sqlite_database: Database,
) -> None:
    letter = _letter_to_new_address(sqlite_database)
    sent_mail(sqlite_database)
    _want_to_move(sqlite_database, MISTYPED)
    raw = bounce_report(letter, about=MISTYPED, original=NO_ORIGINAL)
    assert handle_bounce(sqlite_database, raw) == "suppressed"
    assert _suppressed(sqlite_database) == [MISTYPED]
    assert subscriber_status(sqlite_database) == "active"


def test_a_bounce_from_a_given_up_address_spares_the_present_one(sqlite_database: Database) -> None:
    letter = _letter_to_new_address(sqlite_database)
    sent_mail(sqlite_database)
    _want_to_move(sqlite_database, CORRECT)
    raw = bounce_report(letter, about=MISTYPED, original=NO_ORIGINAL)
    assert handle_bounce(sqlite_database, raw) == "counted"
    assert _suppressed(sqlite_database) == []


def test_a_bounce_from_the_present_address_spares_the_new_one(sqlite_database: Database) -> None:
    digest = sent_mail(sqlite_database)
    _letter_to_new_address(sqlite_database)
    _want_to_move(sqlite_database, CORRECT)
    raw = bounce_report(digest, about=MINJI, original=NO_ORIGINAL)
    assert handle_bounce(sqlite_database, raw) == "suppressed"
    assert _suppressed(sqlite_database) == [MINJI]


def test_a_bounce_of_a_forwarded_digest_counts_again_when_no_letter_is_on_its_way(
    sqlite_database: Database,
) -> None:
    _letter_to_new_address(sqlite_database)
    digest = sent_mail(sqlite_database)
    _want_to_move(sqlite_database, CORRECT)
    raw = bounce_report(digest, about="forwarded@example.org", original=NO_ORIGINAL)
    assert handle_bounce(sqlite_database, raw, NOW + timedelta(days=7)) == "suppressed"
    assert _suppressed(sqlite_database) == [MINJI]
