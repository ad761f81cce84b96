"""What readers ask for and are told: one mail for each occasion, to the right address, with links that work."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from making import HOUSE, NOW, RULES, issue_of, office_at, reader, stored_issue
from smtp_server import Message, ScriptedServer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.database import Database
from emails import correspondence
from emails.correspondence import MOVES, answer_applications
from emails.digests import run_digest
from emails.engine.outbox import PROMPT
from emails.message import PAGES
from emails.models import Delivery, EditionRow
from emails.sending import drain
from emails.upkeep import UpkeepReport, upkeep
from emails.writing.wording import say
from subscribers import accounts
from subscribers.accounts import SIGN_UP_EXPIRES, AccountError, find
from subscribers.links import LinkError, read_token
from subscribers.models import AccountEvent, Application, Attempt, Forgotten, Subscriber

MINJI = "minji@example.com"
PUBLISHED = NOW - timedelta(days=1)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SECOND = timedelta(seconds=1)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


def publish(database: Database, papers: int = 3) -> None:
    with database.sessions.begin() as session:
        stored_issue(session, issue_of(papers), now=PUBLISHED)


def subscribe(database: Database, address: str = MINJI, *, frequency: str = "weekly") -> None:
    with database.sessions.begin() as session:
        reader(session, address, frequency=frequency)


def apply(
    database: Database,
    address: str = MINJI,
    *,
    language: str = "ko",
    frequency: str = "weekly",
    after: timedelta = timedelta(),
) -> list[str]:
    """Somebody fills in the form, and the form is answered."""
    with database.sessions.begin() as session:
        session.add(
            Application(
                email=address,
                language=language,
                frequency=frequency,
                network="198.51.100.0/24",
                received_at=NOW + after,
            )
        )
    with database.sessions.begin() as session:
        done = answer_applications(session, HOUSE, NOW + after)
        assert session.scalar(select(func.count(Application.id))) == 0, "an application is answered once"
    return done


def act(database: Database, what: Callable[[Session, Subscriber], None], address: str = MINJI) -> None:
    with database.sessions.begin() as session:
        known = find(session, address)
        assert known
        what(session, known)


def confirm(database: Database, address: str = MINJI, *, after: timedelta = timedelta()) -> None:
    """The reader presses the button of the confirmation."""
    act(
        database,
        lambda session, known: correspondence.confirm(
            session, known, HOUSE, RULES, NOW + after, origin="198.51.100.7"
        ),
        address,
    )


def end(
    database: Database, address: str = MINJI, *, after: timedelta = timedelta(), reason: str = ""
) -> None:
    act(
        database,
        lambda session, known: correspondence.end(
            session, known, HOUSE, NOW + after, origin="one-click", reason=reason
        ),
        address,
    )


def ask_to_move(database: Database, new: str, *, after: timedelta = timedelta()) -> None:
    act(
        database,
        lambda session, known: correspondence.ask_to_move(
            session, known, new, HOUSE, NOW + after, origin="settings"
        ),
    )


def outbox(database: Database) -> list[tuple[str, str, str]]:
    """To whom, what kind (a letter's, or the slot without its day), and the state, in order."""
    rows = select(Subscriber.email, EditionRow.slot, Delivery.slot, Delivery.kind, Delivery.state)
    rows = rows.select_from(Delivery).join(Subscriber).join(EditionRow).order_by(Delivery.id)
    with database.sessions() as session:
        return [
            (email, letter if kind == "letter" else slot.partition(":")[0], state)
            for email, letter, slot, kind, state in session.execute(rows)
        ]


def send(
    database: Database, server: ScriptedServer, slot: str | None = PROMPT, *, after: timedelta = timedelta()
) -> None:
    with office_at(database, server, NOW + after) as office:
        assert drain(office, slot, repeat_uncertain=True).stopped == ""


def keep_up(database: Database, server: ScriptedServer, *, after: timedelta = timedelta()) -> UpkeepReport:
    with office_at(database, server, NOW + after) as office:
        report = upkeep(office, local_now=NOW + after, rules=RULES)
    assert report.fault == ""
    return report


def bodies(server: ScriptedServer, place: int) -> tuple[str, str]:
    """Text and HTML of the mail that arrived at this place."""
    mail = message_from_bytes(server.messages[place].data, policy=modern_policy)
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain
    assert html
    return plain.get_content(), html.get_content()


def links(server: ScriptedServer, place: int) -> set[tuple[str, str]]:
    """Purpose and handle of the links in a mail, alike in both bodies and valid.

    A link that confirms a change of address is about the address that the mail went to.
    """
    pages = {page: purpose for purpose, page in PAGES.items()}
    about = {"move": recipients(server)[place]}
    found = [
        {
            (
                pages[page],
                read_token(
                    HOUSE.key, pages[page], token, NOW.date(), lambda _, page=page: about.get(pages[page], "")
                ),
            )
            for page, token in re.findall(r"https://paperboy\.example/([a-z])/([\w-]+)", body)
        }
        for body in bodies(server, place)
    ]
    assert found[0] == found[1]
    return found[0]


def recipients(server: ScriptedServer) -> list[str]:
    assert all(len(message.rcpt) == 1 for message in server.messages)
    return [message.rcpt[0] for message in server.messages]


def handle_of(database: Database, address: str = MINJI) -> str:
    with database.sessions() as session:
        known = find(session, address)
        assert known
        return known.handle


def status_of(database: Database, address: str = MINJI) -> str:
    with database.sessions() as session:
        known = find(session, address)
        return known.status if known else "unknown"


def cursor_of(database: Database, address: str = MINJI) -> int:
    with database.sessions() as session:
        known = find(session, address)
        assert known
        return known.cursor


# --- signing up ---------------------------------------------------------------------


def test_a_sign_up_is_answered_by_one_confirmation_with_a_link(
    database: Database, server: ScriptedServer
) -> None:
    assert apply(database, language="both", frequency="daily") == ["invited"]
    assert outbox(database) == [(MINJI, "confirmation", "planned")]
    send(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("confirm", handle_of(database))}
    assert status_of(database) == "pending"
    with database.sessions() as session:
        (signed_up,) = session.scalars(select(AccountEvent))
        assert signed_up.detail == {"from": "198.51.100.0/24", "language": "both", "frequency": "daily"}


def test_signing_up_again_and_again_sends_one_mail_a_day(database: Database) -> None:
    assert apply(database) == ["invited"]
    for after in (SECOND, HOUR, DAY - SECOND):
        assert apply(database, "MINJI@example.com", after=after) == ["nothing"]
    assert outbox(database) == [(MINJI, "confirmation", "planned")]
    assert apply(database, after=DAY) == ["invited"]
    assert len(outbox(database)) == 2


def test_many_sign_ups_of_one_moment_are_each_answered_in_turn(database: Database) -> None:
    with database.sessions.begin() as session:
        for address in (MINJI, "jihoon@example.com", "Minji@Example.com"):
            session.add(
                Application(email=address, language="ko", frequency="weekly", network="", received_at=NOW)
            )
    with database.sessions.begin() as session:
        assert answer_applications(session, HOUSE, NOW) == ["invited", "invited", "nothing"]
    assert [to for to, *_ in outbox(database)] == [MINJI, "jihoon@example.com"]


@pytest.mark.parametrize("paused", [False, True])
def test_a_reader_for_whom_somebody_signs_up_is_reminded_once_a_day_and_nothing_changes(
    database: Database, server: ScriptedServer, paused: bool
) -> None:
    subscribe(database)
    if paused:
        act(database, lambda _, known: accounts.pause(known, NOW, until=date(2025, 9, 1)))
    before = _state(database)
    done = [
        apply(database, "Minji@EXAMPLE.com", language="en", frequency="daily", after=after)
        for after in (timedelta(), HOUR, DAY - SECOND, DAY)
    ]
    assert done == [["reminded"], ["nothing"], ["nothing"], ["reminded"]]
    assert [kind for _, kind, _ in outbox(database)] == ["reminder", "reminder"]
    assert _state(database) == before
    send(database, server, after=DAY)
    assert recipients(server) == [MINJI, MINJI]
    assert links(server, 0) == {("preferences", handle_of(database))}


def _state(database: Database) -> list[object]:
    columns = [column for column in Subscriber.__table__.columns if column.key != "id"]
    with database.sessions() as session:
        return [tuple(row) for row in session.execute(select(*columns))] + [
            session.scalar(select(func.count(AccountEvent.id)))
        ]


def test_a_suppressed_address_is_answered_nothing(database: Database) -> None:
    with database.sessions.begin() as session:
        accounts.suppress(session, MINJI, "complained", NOW)
    assert apply(database, "Minji@example.com") == ["nothing"]
    assert outbox(database) == []
    assert status_of(database) == "unknown"


def test_one_who_left_can_come_back(database: Database) -> None:
    subscribe(database)
    end(database)
    assert apply(database, after=WEEK) == ["invited"]
    confirm(database, after=WEEK)
    assert status_of(database) == "active"
    assert [kind for _, kind, _ in outbox(database)] == ["farewell", "confirmation", "welcome"]


def test_one_who_left_can_come_back_the_same_day_but_is_not_written_to_again_and_again(
    database: Database,
) -> None:
    apply(database)
    confirm(database)
    end(database, after=HOUR)
    assert apply(database, after=2 * HOUR) == ["invited"]
    assert apply(database, after=3 * HOUR) == ["nothing"]
    confirm(database, after=3 * HOUR)
    assert status_of(database) == "active"


def test_an_application_that_cannot_be_answered_does_not_stop_the_others(database: Database) -> None:
    with database.sessions.begin() as session:
        for address in ("nobody", MINJI):
            session.add(
                Application(email=address, language="ko", frequency="weekly", network="", received_at=NOW)
            )
    with database.sessions.begin() as session:
        assert answer_applications(session, HOUSE, NOW) == ["nothing", "invited"]


# --- the welcome --------------------------------------------------------------------


@pytest.mark.parametrize(("frequency", "count"), [("weekly", 5), ("daily", 2)])
def test_a_new_reader_gets_the_latest_issue_at_once_and_the_next_digest_goes_on_after_it(
    database: Database, server: ScriptedServer, frequency: str, count: int
) -> None:
    publish(database, 5)
    apply(database, frequency=frequency)
    send(database, server)
    confirm(database, after=HOUR)
    assert cursor_of(database) == count
    send(database, server, after=HOUR)
    assert recipients(server) == [MINJI, MINJI]
    text, _ = bodies(server, 1)
    assert _papers(text) == list(range(1, count + 1))
    assert links(server, 1) == {(each, handle_of(database)) for each in ("preferences", "unsubscribe")}
    for after in (DAY, WEEK + DAY):
        with office_at(database, server, NOW + after) as office:
            run_digest(office, frequency, local_now=NOW + after, rules=RULES)
    later = [
        number for place in range(2, len(server.messages)) for number in _papers(bodies(server, place)[0])
    ]
    assert later == ([] if frequency == "weekly" else [3, 4, 5])


def _papers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^(\d+)번째 논문의 초록입니다\.", text, re.MULTILINE)]


def test_the_welcome_says_welcome(database: Database, server: ScriptedServer) -> None:
    publish(database)
    apply(database)
    confirm(database)
    subscribe(database, "old@example.com")
    send(database, server)
    with office_at(database, server) as office:
        run_digest(office, "weekly", local_now=NOW, rules=RULES)
    assert recipients(server) == [MINJI, "old@example.com"]
    (welcome, _), (ordinary, _) = bodies(server, 0), bodies(server, 1)
    assert _papers(welcome) == _papers(ordinary) == [1, 2, 3]
    assert say("ko", "heading_welcome") in welcome
    assert say("ko", "heading_welcome") not in ordinary


@pytest.mark.parametrize("why", ["nothing was ever published", "the issue still settles"])
def test_without_papers_to_send_a_new_reader_gets_a_letter_and_the_papers_when_they_are_ready(
    database: Database, server: ScriptedServer, why: str
) -> None:
    if why == "the issue still settles":
        with database.sessions.begin() as session:
            stored_issue(session, issue_of(3), now=NOW)
    apply(database)
    confirm(database)
    assert outbox(database)[1:] == [(MINJI, "welcome", "planned")]
    assert cursor_of(database) == 0
    send(database, server)
    assert links(server, 0) == {("preferences", handle_of(database))}
    if why == "nothing was ever published":
        publish(database)
    with office_at(database, server, NOW + WEEK) as office:
        assert run_digest(office, "weekly", local_now=NOW + WEEK, rules=RULES).sent == 1
    assert _papers(bodies(server, -1)[0]) == [1, 2, 3]


def test_one_who_confirms_twice_is_welcomed_once(database: Database) -> None:
    publish(database)
    apply(database)
    for after in (HOUR, HOUR + SECOND, DAY):
        confirm(database, after=after)
    assert [kind for _, kind, _ in outbox(database)] == ["confirmation", "welcome"]
    with database.sessions() as session:
        events = session.scalars(select(AccountEvent.what).order_by(AccountEvent.id)).all()
    assert events == ["signed up", "confirmed"]


def test_the_record_names_the_wording_that_was_agreed_to(database: Database) -> None:
    for address, language in ((MINJI, "ko"), ("a@example.com", "ko"), ("b@example.com", "en")):
        apply(database, address, language=language)
        confirm(database, address)
    with database.sessions() as session:
        rows = select(AccountEvent).where(AccountEvent.what == "confirmed").order_by(AccountEvent.id)
        details = [event.detail for event in session.scalars(rows)]
    assert {detail["from"] for detail in details} == {"198.51.100.7"}
    minji, a, b = (detail["wording"] for detail in details)
    assert minji == a != b


def test_a_confirmation_is_good_for_two_days(database: Database) -> None:
    apply(database)
    apply(database, "slow@example.com")
    confirm(database, after=SIGN_UP_EXPIRES)
    with pytest.raises(AccountError, match="sign up again"):
        confirm(database, "slow@example.com", after=SIGN_UP_EXPIRES + SECOND)
    assert (status_of(database), status_of(database, "slow@example.com")) == ("active", "pending")


def test_a_welcome_to_one_who_pauses_first_waits_with_the_papers(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    apply(database)
    confirm(database)
    act(database, lambda _, known: accounts.pause(known, NOW))
    send(database, server)
    assert server.messages == []
    assert cursor_of(database) == 0
    act(database, lambda _, known: accounts.resume(known, NOW))
    with office_at(database, server, NOW + WEEK) as office:
        assert run_digest(office, "weekly", local_now=NOW + WEEK, rules=RULES).sent == 1
    assert _papers(bodies(server, 0)[0]) == [1, 2, 3]


# --- leaving ------------------------------------------------------------------------


def test_one_who_leaves_is_told_once_with_a_link_that_takes_it_back(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database)
    end(database, reason="too many mails")
    end(database)
    assert outbox(database) == [(MINJI, "farewell", "planned")]
    assert status_of(database) == "unsubscribed"
    send(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("unsubscribe", handle_of(database))}


def test_one_who_never_confirmed_leaves_without_a_mail(database: Database) -> None:
    apply(database)
    end(database)
    assert [kind for _, kind, _ in outbox(database)] == ["confirmation"]
    assert status_of(database) == "unsubscribed"


def test_leaving_back_and_forth_sends_one_farewell_a_day(database: Database) -> None:
    subscribe(database)
    for after in (timedelta(), HOUR, DAY):
        end(database, after=after)
        act(database, lambda session, known: accounts.undo_unsubscribe(session, known, NOW))
    assert [kind for _, kind, _ in outbox(database)] == ["farewell", "farewell"]


# --- another address ----------------------------------------------------------------


def test_a_change_of_address_is_confirmed_at_the_new_one(database: Database, server: ScriptedServer) -> None:
    subscribe(database)
    ask_to_move(database, "New@example.com")
    send(database, server)
    assert recipients(server) == ["New@example.com"]
    assert "minji" not in bodies(server, 0)[0]
    assert links(server, 0) == {("move", handle_of(database))}
    act(database, lambda session, known: accounts.move(session, known, NOW))
    publish(database)
    with office_at(database, server) as office:
        run_digest(office, "weekly", local_now=NOW, rules=RULES)
    assert recipients(server) == ["New@example.com", "New@example.com"]


@pytest.mark.parametrize("new", ["taken@example.com", "Returned@example.com", "Minji@example.com"])
def test_nobody_is_written_to_at_an_address_that_cannot_be_moved_to(database: Database, new: str) -> None:
    subscribe(database)
    subscribe(database, "taken@example.com")
    with database.sessions.begin() as session:
        accounts.suppress(session, "returned@example.com", "returned", NOW)
    ask_to_move(database, new)
    assert outbox(database) == []


def test_the_link_sent_to_one_address_does_not_confirm_another(
    database: Database, server: ScriptedServer
) -> None:
    """Else a reader could subscribe any address, by asking for an own one first."""
    subscribe(database)
    ask_to_move(database, "mine@example.com")
    send(database, server)
    ask_to_move(database, "victim@example.com")
    token = re.search(r"/m/([\w-]+)", bodies(server, 0)[0])
    assert token
    read_token(HOUSE.key, "move", token[1], NOW.date(), lambda _: "mine@example.com")
    with pytest.raises(LinkError):
        read_token(HOUSE.key, "move", token[1], NOW.date(), lambda _: "victim@example.com")


def test_a_mistyped_address_can_be_mended_at_once_but_nobody_is_written_to_all_day(
    database: Database, server: ScriptedServer
) -> None:
    subscribe(database)
    addresses = [f"new{number}@example.com" for number in range(5)]
    for address in addresses:
        ask_to_move(database, address)
        send(database, server)
    assert recipients(server) == addresses[:MOVES]
    ask_to_move(database, "tomorrow@example.com", after=DAY)
    send(database, server, after=DAY)
    assert recipients(server)[MOVES:] == ["tomorrow@example.com"]


# --- letters that are out of date ---------------------------------------------------


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ("confirmed already", "confirmation", "active"),
        ("left before confirming", "confirmation", "unsubscribed"),
        ("left at once", "welcome", "unsubscribed"),
        ("took it back", "farewell", "active"),
        ("moved already", "move", "the address was changed already"),
        ("returned", "reminder", "suppressed"),
    ],
)
def test_a_letter_that_is_out_of_date_is_not_sent(
    database: Database, server: ScriptedServer, change: str, kind: str, reason: str
) -> None:
    if kind == "confirmation":
        apply(database)
        act(
            database,
            lambda session, known: (
                accounts.confirm(session, known, NOW)
                if change == "confirmed already"
                else accounts.unsubscribe(known, NOW)
            ),
        )
    else:
        subscribe(database)
        if kind == "welcome":
            act(database, lambda session, known: correspondence.write(session, known, kind, HOUSE, NOW))
            act(database, lambda _, known: accounts.unsubscribe(known, NOW))
        elif kind == "farewell":
            end(database)
            act(database, lambda session, known: accounts.undo_unsubscribe(session, known, NOW))
        elif kind == "move":
            ask_to_move(database, "new@example.com")
            act(database, lambda session, known: accounts.move(session, known, NOW))
        else:
            apply(database)
            act(database, lambda session, known: accounts.suppress(session, known.email, "returned", NOW))
    send(database, server)
    assert server.messages == []
    assert [(each, state) for _, each, state in outbox(database)] == [(kind, "skipped")]
    with database.sessions() as session:
        assert session.scalars(select(Delivery.reply)).all() == [reason]


# --- when they go out ---------------------------------------------------------------


def test_letters_and_welcomes_go_out_before_a_digest_that_was_planned_first(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    for number in range(3):
        subscribe(database, f"reader{number}@example.com")
    with ScriptedServer(on_connect="421 4.3.2 Closing") as closed, office_at(database, closed) as office:
        run_digest(office, "weekly", local_now=NOW, rules=RULES)
    apply(database)
    apply(database, "new@example.com")
    confirm(database, "new@example.com")
    with office_at(database, server) as office:
        report = run_digest(office, "weekly", local_now=NOW, rules=RULES)
    assert report.balances
    got = recipients(server)
    assert got[:2] == [MINJI, "new@example.com"]
    assert sorted(got[2:]) == [f"reader{number}@example.com" for number in range(3)]
    assert report.sent == 3, "a digest's report counts its own mails only"


def test_whoever_waits_for_a_letter_does_not_wait_for_other_slots(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "reader@example.com")
    with ScriptedServer(on_connect="421 4.3.2 Closing") as closed, office_at(database, closed) as office:
        run_digest(office, "weekly", local_now=NOW, rules=RULES)
    apply(database)
    send(database, server, PROMPT)
    assert recipients(server) == [MINJI]
    apply(database, "jihoon@example.com")
    send(database, server, "daily:2025-08-04")
    assert recipients(server) == [MINJI, "jihoon@example.com"]
    assert [state for to, _, state in outbox(database) if to == "reader@example.com"] == ["planned"]


# --- upkeep -------------------------------------------------------------------------


def test_upkeep_answers_what_the_form_left_and_sends_it(database: Database, server: ScriptedServer) -> None:
    with database.sessions.begin() as session:
        session.add(Application(email=MINJI, language="en", frequency="daily", network="", received_at=NOW))
    keep_up(database, server)
    assert recipients(server) == [MINJI]
    assert links(server, 0) == {("confirm", handle_of(database))}
    keep_up(database, server, after=HOUR)
    assert len(server.messages) == 1


def test_upkeep_resumes_pauses_that_end_today(database: Database, server: ScriptedServer) -> None:
    subscribe(database)
    until = NOW.date() + DAY
    act(database, lambda _, known: accounts.pause(known, NOW, until=until))
    keep_up(database, server)
    assert status_of(database) == "paused"
    keep_up(database, server, after=DAY)
    assert status_of(database) == "active"


def test_upkeep_drops_sign_ups_that_nobody_confirmed_with_all_that_belongs_to_them(
    database: Database, server: ScriptedServer
) -> None:
    apply(database)
    send(database, server)
    apply(database, "later@example.com", after=HOUR)
    subscribe(database, "reader@example.com")
    assert keep_up(database, server, after=SIGN_UP_EXPIRES).expired == 0
    assert keep_up(database, server, after=SIGN_UP_EXPIRES + SECOND).expired == 1
    assert [status_of(database, to) for to in (MINJI, "later@example.com", "reader@example.com")] == [
        "unknown",
        "pending",
        "active",
    ]
    assert [to for to, *_ in outbox(database)] == ["later@example.com"]
    with database.sessions() as session:
        assert session.scalar(select(func.count(Forgotten.digest))) == 0, "they may sign up again"


def test_a_former_reader_whose_sign_up_expires_keeps_their_place_and_is_not_said_farewell_to(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database)
    with office_at(database, server) as office:
        run_digest(office, "weekly", local_now=NOW, rules=RULES)
    act(database, lambda _, known: accounts.unsubscribe(known, NOW))
    apply(database, after=DAY)
    assert keep_up(database, server, after=WEEK).expired == 1
    assert (status_of(database), cursor_of(database)) == ("unsubscribed", 3)
    assert [kind for _, kind, _ in outbox(database)] == ["weekly", "confirmation"]


# --- forgetting ---------------------------------------------------------------------


def test_one_who_is_forgotten_leaves_no_delivery_and_gets_none(
    database: Database, server: ScriptedServer
) -> None:
    publish(database)
    subscribe(database, "jihoon@example.com")
    apply(database)
    confirm(database)
    end(database)
    act(database, lambda session, known: correspondence.forget(session, known, HOUSE, NOW))
    assert status_of(database) == "unknown"
    with office_at(database, server) as office:
        assert run_digest(office, "weekly", local_now=NOW, rules=RULES).sent == 1
    assert recipients(server) == ["jihoon@example.com"]
    assert [address for address, _, _ in outbox(database)] == ["jihoon@example.com"]
    with database.sessions() as session:
        assert accounts.is_forgotten(session, MINJI, HOUSE.key)
        assert not session.scalars(
            select(AccountEvent).where(AccountEvent.subscriber_id.not_in(select(Subscriber.id)))
        ).all()


def test_one_who_was_forgotten_can_sign_up_again_by_themselves(database: Database) -> None:
    subscribe(database)
    act(database, lambda session, known: correspondence.forget(session, known, HOUSE, NOW))
    assert apply(database) == ["invited"]
    confirm(database)
    assert status_of(database) == "active"


@pytest.mark.parametrize("who", ["the one whose mail is being taken", "one who comes next"])
def test_one_who_is_forgotten_during_a_digest_does_not_stop_it(database: Database, who: str) -> None:
    publish(database)
    addresses = [f"reader{number}@example.com" for number in range(3)]
    for address in addresses:
        subscribe(database, address)
    gone = addresses[0 if who.startswith("the one") else 2]

    def forget_at_first(message: Message) -> None:
        if message.rcpt == addresses[:1]:
            act(database, lambda session, known: correspondence.forget(session, known, HOUSE, NOW), gone)

    with ScriptedServer(on_body=forget_at_first) as server, office_at(database, server) as office:
        report = run_digest(office, "weekly", local_now=NOW, rules=RULES)
        assert (report.balances, report.stopped) == (True, "")
        assert recipients(server) == [to for to in addresses if to != gone or gone == addresses[0]]
        drain(office, None, repeat_uncertain=True)  # the next round of the outbox
    with database.sessions() as session:
        assert session.scalars(select(Subscriber.email).order_by(Subscriber.id)).all() == [
            address for address in addresses if address != gone
        ]
        assert session.scalar(select(func.count(Delivery.id))) == 2


def test_counts_of_sign_ups_that_have_run_out_do_not_pile_up(
    database: Database, server: ScriptedServer
) -> None:
    with database.sessions.begin() as session:
        session.add(Attempt(key="over", count=3, expires_at=1.0))
        session.add(Attempt(key="running", count=3, expires_at=time.time() + 3600))
    keep_up(database, server)
    with database.sessions() as session:
        assert session.scalars(select(Attempt.key)).all() == ["running"]
