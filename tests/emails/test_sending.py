"""The sending loop and its ledger: what each reply leaves behind, and what survives a crash at any step."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email import message_from_bytes

import pytest
from making import HOUSE, NOW, office_at, reader
from sendings import SLOT, deliveries, edition_row, got, message_ids, plan, send, states
from smtp_server import DROP, TAKE_AND_DROP, Reply, ScriptedServer, in_turn
from sqlalchemy import func, select, text

from core.database import Database
from emails import planning, sending
from emails.engine import outbox, stock
from emails.engine.outbox import Hold
from emails.engine.pace import Speed
from emails.message import Message
from emails.models import Delivery, EditionRow
from emails.sending import Office, drain
from emails.transport import Line, Transport
from subscribers.accounts import is_suppressed, suppress
from subscribers.models import AccountEvent, Subscriber


class Crash(BaseException):
    """The process dies here."""


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as running:
        yield running


# --- planning -----------------------------------------------------------------------


def test_planning_a_slot_twice_plans_it_once_and_moves_the_cursor_once(database: Database) -> None:
    with database.sessions.begin() as session:
        subscriber = reader(session)
        row = edition_row()
        session.add(row)
        session.flush()
        for expected in (1, 0):
            planned = planning.plan(session, row, cursor=2, domain=HOUSE.domain, now=NOW)
            assert planned.count == expected
        session.refresh(subscriber)
        assert subscriber.cursor == 2
        assert session.scalar(select(func.count()).select_from(Delivery)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("status", "paused"), ("language", "en"), ("frequency", "daily"), ("cursor", 1)],
)
def test_one_who_changed_since_the_audience_was_read_is_left_for_the_next_run(
    database: Database, field: str, value: object
) -> None:
    with database.sessions.begin() as session:
        subscriber = reader(session)
        setattr(subscriber, field, value)
        row = edition_row()
        session.add(row)
        session.flush()
        before = subscriber.cursor
        assert planning.plan(session, row, cursor=2, domain=HOUSE.domain, now=NOW).count == 0
        session.refresh(subscriber)
        assert subscriber.cursor == before


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_postgresql_knows_of_many_deliveries_as_soon_as_they_are_planned(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MANY", 20)
    plan(database, 20)
    with database.sessions() as session:
        assert session.scalar(text("SELECT reltuples FROM pg_class WHERE relname = 'deliveries'")) == 20


def test_every_delivery_has_a_message_id_of_its_own_at_the_senders_domain(database: Database) -> None:
    plan(database, 20)
    ids = [delivery.message_id for delivery in deliveries(database)]
    assert len(set(ids)) == 20
    assert all(id_.endswith("@paperboy.example") for id_ in ids)


# --- replies ------------------------------------------------------------------------


def test_a_mail_taken_is_sent_and_its_reply_and_message_id_are_kept(
    database: Database, server: ScriptedServer
) -> None:
    plan(database, 1)
    send(database, server)
    (delivery,) = deliveries(database)
    assert (delivery.state, delivery.reply, delivery.settled_at, delivery.attempts) == (
        "sent",
        "250 2.0.0 Queued",
        NOW,
        1,
    )
    assert message_ids(server) == [f"<{delivery.message_id}>"]
    send(database, server)
    assert len(server.messages) == 1


@pytest.mark.parametrize("reply", ["451 4.7.1 Greylisted", "421 4.3.2 Shutting down", DROP])
def test_a_temporary_refusal_is_tried_again_when_due_and_not_before(database: Database, reply: Reply) -> None:
    plan(database, 1)
    with ScriptedServer(on_rcpt=in_turn(reply)) as server:
        send(database, server)
        (delivery,) = deliveries(database)
        assert delivery.state == "deferred"
        assert delivery.due_at
        assert timedelta(minutes=14) < delivery.due_at - NOW < timedelta(minutes=16)
        send(database, server, now=NOW + timedelta(minutes=14))
        assert server.messages == []
        send(database, server, now=delivery.due_at)
        assert message_ids(server) == [f"<{delivery.message_id}>"]


def test_pauses_grow_and_after_48_hours_a_delivery_fails(database: Database) -> None:
    plan(database, 1)
    pauses: list[timedelta] = []
    now = NOW
    with ScriptedServer(on_rcpt="451 4.7.1 Greylisted") as server:
        while states(database) != {"failed": 1}:
            send(database, server, now=now)
            (delivery,) = deliveries(database)
            if delivery.state == "deferred":
                assert delivery.due_at
                pauses.append(delivery.due_at - now)
                now = delivery.due_at
            assert len(pauses) < 50
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(pauses[:6]))
    assert timedelta(minutes=14) < pauses[0] < timedelta(minutes=16)
    assert max(pauses) < timedelta(hours=9)
    assert timedelta(hours=44) < now - NOW < timedelta(hours=52)
    assert "4.7.1" in delivery.reply


def test_a_dead_address_fails_and_is_never_mailed_again(database: Database) -> None:
    dead, alive = plan(database, 2)
    with ScriptedServer(on_rcpt=in_turn("550 5.1.1 No such user")) as server:
        send(database, server)
        assert got(server) == [alive]
    assert [delivery.state for delivery in deliveries(database)] == ["failed", "sent"]
    with database.sessions() as session:
        assert is_suppressed(session, dead)
        assert not is_suppressed(session, alive)
        assert session.scalars(select(Subscriber.status).order_by(Subscriber.id)).all() == [
            "bounced",
            "active",
        ]


def test_a_full_mailbox_fails_without_being_suppressed(database: Database) -> None:
    (address,) = plan(database, 1)
    with ScriptedServer(on_rcpt="552 5.2.2 Mailbox full") as server:
        send(database, server)
    assert states(database) == {"failed": 1}
    with database.sessions() as session:
        assert not is_suppressed(session, address)


@pytest.mark.parametrize(
    ("hook", "reply"),
    [
        ("on_connect", "554 5.3.2 Not now"),
        ("on_mail", "550 5.7.1 Sender refused"),
        ("on_rcpt", "550 5.7.1 Relaying denied"),
        ("on_body", "550 5.7.26 Unauthenticated"),
        ("on_body", "552 5.3.4 Too big"),
    ],
)
def test_a_fault_of_ours_stops_the_run_and_leaves_every_delivery_planned(
    database: Database, server: ScriptedServer, hook: str, reply: str
) -> None:
    plan(database, 3)
    with ScriptedServer(**{hook: reply}) as refusing:  # type: ignore[arg-type]
        drained = send(database, refusing)
        assert refusing.sessions == 1
    assert reply in drained.stopped
    assert states(database) == {"planned": 3}
    assert sum(delivery.attempts for delivery in deliveries(database)) <= 1
    send(database, server)
    assert states(database) == {"sent": 3}


def test_ten_refusals_in_a_row_stop_the_run(database: Database) -> None:
    plan(database, 15)
    with ScriptedServer(on_rcpt="451 4.7.1 Too many") as server:
        drained = send(database, server)
    assert "10 mails in a row" in drained.stopped
    assert states(database) == {"deferred": 10, "planned": 5}


def test_refusals_that_are_not_in_a_row_stop_nothing(database: Database) -> None:
    plan(database, 15)
    refusals: list[Reply | None] = ["451 4.7.1 Later"] * 9
    with ScriptedServer(on_rcpt=in_turn(*refusals, None, *refusals)) as server:
        assert send(database, server).stopped == ""
    assert states(database) == {"deferred": 14, "sent": 1}


def test_a_suppressed_address_gets_nothing_although_its_mail_was_planned(
    database: Database, server: ScriptedServer
) -> None:
    first, second = plan(database, 2)
    with database.sessions.begin() as session:
        suppress(session, first, "complained", NOW)
    send(database, server)
    assert got(server) == [second]
    skipped = deliveries(database)[0]
    assert (skipped.state, skipped.reply) == ("skipped", "suppressed")


def test_more_mails_than_a_batch_are_all_sent(
    database: Database, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "BATCH", 2)
    addresses = plan(database, 5)
    send(database, server)
    assert got(server) == addresses
    assert server.sessions == 1


# --- uncertain ----------------------------------------------------------------------


def test_a_mail_taken_without_a_reply_is_repeated_once_with_the_same_message_id(database: Database) -> None:
    plan(database, 1)
    with ScriptedServer(on_body=TAKE_AND_DROP) as server:
        for _ in range(3):
            send(database, server)
    assert states(database) == {"uncertain": 1}
    assert len(server.messages) == 2
    assert len(set(message_ids(server))) == 1


def test_a_mail_taken_without_a_reply_is_held_where_the_operator_wants_so(database: Database) -> None:
    plan(database, 2)
    with ScriptedServer(on_body=in_turn(TAKE_AND_DROP)) as server:
        for _ in range(3):
            send(database, server, repeat_uncertain=False)
    assert [delivery.state for delivery in deliveries(database)] == ["uncertain", "sent"]
    assert len(server.messages) == 2


# --- crashes ------------------------------------------------------------------------


class FakeLine(Line):
    """Takes every message, and dies before or after the one that is the `crash_at`-th."""

    def __init__(self, transport: "FakeTransport") -> None:
        self.transport = transport

    async def send(self, message: Message, _following: Message | None = None) -> str:
        is_last = len(self.transport.taken) + 1 == self.transport.crash_at
        if is_last and self.transport.before:
            raise Crash
        self.transport.taken.append(message)
        if is_last:
            raise Crash
        return "250 2.0.0 Queued"

    async def close(self) -> None:
        return


class FakeTransport(Transport):
    """Its line dies before or after the `crash_at`-th message."""

    def __init__(self, crash_at: int, *, before: bool) -> None:
        self.crash_at, self.before = crash_at, before
        self.taken: list[Message] = []

    def line(self) -> Line:
        return FakeLine(self)


def crashing_clock(at: int) -> Callable[[], datetime]:
    """A clock at which the process dies when it is read for the `at`-th time."""
    reads = iter(range(1, 1000))

    def read() -> datetime:
        if next(reads) == at:
            raise Crash
        return NOW

    return read


def drain_with(
    database: Database, transport: Transport, clock: Callable[[], datetime], *, repeat: bool = False
) -> None:
    office = Office(database, transport, HOUSE, clock, lease=timedelta(0))
    drain(office, None, repeat_uncertain=repeat)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_in_the_middle_of_a_mail_leaves_exactly_that_one_uncertain(
    database: Database, server: ScriptedServer, crash_at: int, before: bool
) -> None:
    addresses = plan(database, 3)
    crashing = FakeTransport(crash_at, before=before)
    with pytest.raises(Crash):
        drain_with(database, crashing, lambda: NOW)
    send(database, server, repeat_uncertain=False, lease=timedelta(0))
    expected = ["sent", "sent", "sent"]
    expected[crash_at - 1] = "uncertain"
    assert [delivery.state for delivery in deliveries(database)] == expected
    assert got(server) == addresses[crash_at:]
    assert [message.envelope_to for message in crashing.taken] == addresses[: crash_at - before]


def test_a_crash_at_any_step_loses_no_mail_and_repeats_at_most_the_one_in_flight(database: Database) -> None:
    """The clock is read before every step: to take over, claim, build, announce and settle."""
    for at in range(1, 20):
        with database.sessions.begin() as session:
            session.query(Delivery).delete()
            session.query(EditionRow).delete()
            session.query(AccountEvent).delete()
            session.query(Subscriber).delete()
        addresses = plan(database, 3)
        first, second = FakeTransport(0, before=True), FakeTransport(0, before=True)
        crashed = False
        try:
            drain_with(database, first, crashing_clock(at))
        except Crash:
            crashed = True
        drain_with(database, second, lambda: NOW, repeat=True)
        assert states(database) == {"sent": 3}
        counts = Counter(message.envelope_to for message in (*first.taken, *second.taken))
        assert set(counts) == set(addresses), at
        assert sum(counts.values()) <= 3 + crashed, at
        ids = {re_id(message) for message in (*first.taken, *second.taken)}
        assert len(ids) == 3


def re_id(message: Message) -> str:
    return str(message_from_bytes(message.data)["Message-ID"])


def test_what_was_only_claimed_when_the_sender_died_is_sent_by_the_next(
    database: Database, server: ScriptedServer
) -> None:
    addresses = plan(database, 3)
    with database.sessions.begin() as session:
        dead = Hold("a dead sender", NOW)
        assert len(outbox.claim(session, SLOT, dead, now=NOW, repeat_uncertain=True, limit=2)) == 2
    assert states(database) == {"claimed": 2, "planned": 1}
    send(database, server, repeat_uncertain=False)
    assert sorted(got(server)) == addresses


# --- two senders --------------------------------------------------------------------


def test_two_senders_at_once_send_every_mail_once(database: Database) -> None:
    addresses = plan(database, 12)
    both_started = threading.Barrier(2, timeout=30)
    with ScriptedServer() as server:

        def run() -> None:
            both_started.wait()
            send(database, server)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(got(server)) == sorted(addresses)
    assert states(database) == {"sent": 12}


def test_a_second_sender_does_not_take_the_first_ones_mail_in_flight_for_a_dead_ones(
    database: Database,
) -> None:
    """While the server is silent about the first mail, another sender starts, and must wait."""
    plan(database, 2)
    in_flight, answer = threading.Event(), threading.Event()

    def slowly(_message: object) -> None:
        in_flight.set()
        assert answer.wait(30)

    with ScriptedServer(on_body=slowly) as server:
        first = threading.Thread(target=send, args=(database, server))
        second = threading.Thread(target=send, args=(database, server))
        first.start()
        assert in_flight.wait(30)
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert server.sessions == 1
        answer.set()
        first.join(30)
        second.join(30)
    assert len(server.messages) == 2
    assert states(database) == {"sent": 2}


def test_a_mail_that_cannot_be_written_fails_alone(database: Database, server: ScriptedServer) -> None:
    plan(database, 3)
    with database.sessions.begin() as session:
        session.scalars(select(Delivery).order_by(Delivery.id)).all()[
            1
        ].message_id = "broken\r\nid@example.com"
    assert send(database, server).stopped == ""
    assert states(database) == {"sent": 2, "failed": 1}


def test_a_server_that_takes_fewer_connections_than_we_would_open_gets_every_mail(
    database: Database,
) -> None:
    plan(database, 40)
    full = "421 4.7.0 Too many connections"
    with ScriptedServer(on_connect=lambda number: full if number > 2 else None) as server:
        drained = send(database, server, speed=Speed(connections=6))
        assert not drained.stopped
        assert states(database) == {"sent": 40}
        assert len(set(got(server))) == len(got(server)) == 40


def test_a_server_that_refuses_everyone_costs_nobody_their_mail(
    database: Database, server: ScriptedServer
) -> None:
    plan(database, 12)
    with ScriptedServer(on_body="554 blocked") as blocking:
        assert "10 mails in a row" in send(database, blocking).stopped
    assert states(database) == {"planned": 12}
    send(database, server)
    assert states(database) == {"sent": 12}


def test_no_address_of_a_reader_stands_in_the_reason_of_a_stop(database: Database) -> None:
    plan(database, 1)
    with ScriptedServer(on_rcpt="550 5.7.1 <reader0@example0.com>: Relay access denied") as server:
        stopped = send(database, server).stopped
    assert "5.7.1 <address>: Relay access denied" in stopped
    assert "reader0" not in stopped


def test_a_letter_that_waits_does_not_narrow_a_digest_to_one_connection(database: Database) -> None:
    plan(database, 40)
    with database.sessions.begin() as session:
        session.scalars(select(Delivery)).first().queue = planning.PROMPT  # type: ignore[union-attr]
    with ScriptedServer() as server:
        send(database, server, speed=Speed(connections=4))
        assert server.sessions == 4
    assert states(database) == {"sent": 40}


def test_a_run_that_cannot_keep_its_claims_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def renew(_stock: stock.Stock) -> None:
        raise Crash

    plan(database, 40)
    monkeypatch.setattr(stock.Stock, "renew", renew)
    monkeypatch.setattr(sending, "TICK", 0.001)
    with ScriptedServer() as server, pytest.raises(Crash):
        send(database, server, lease=timedelta(0), speed=Speed(per_second=20))
    assert states(database)["sent"] < 40


def test_lines_that_wait_for_their_second_send_nothing_once_the_run_stops(database: Database) -> None:
    plan(database, 10)
    with ScriptedServer(on_mail="550 5.7.1 You are not welcome") as server:
        assert send(database, server, speed=Speed(connections=3, per_second=2)).stopped
        assert sum(command.startswith("MAIL") for command in server.commands) == 1
    assert states(database) == {"planned": 10}


def test_a_reply_with_control_signs_is_kept_without_them(database: Database) -> None:
    plan(database, 1)
    with ScriptedServer(on_body="250 2.0.0 Ok\0 queued\x1b[2J") as server:
        send(database, server)
    assert [(row.state, row.reply) for row in deliveries(database)] == [("sent", "250 2.0.0 Ok  queued [2J")]


# --- progress -----------------------------------------------------------------------


def test_whoever_is_told_of_the_progress_holds_up_no_mail(database: Database) -> None:
    plan(database, 5)
    all_sent = threading.Event()
    in_time: list[bool] = []

    def progress(_done: int, _planned: int) -> None:
        in_time.append(all_sent.wait(30))

    def count(_message: object) -> None:
        if len(server.messages) == 4:  # and this one
            all_sent.set()

    with ScriptedServer(on_body=count) as server, office_at(database, server) as office:
        drain(office, None, repeat_uncertain=True, progress=progress)
    assert all(in_time)
    assert states(database) == {"sent": 5}


@pytest.mark.parametrize("connections", [1, 4])
def test_progress_is_told_from_none_to_all_of_what_is_due(
    database: Database, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    monkeypatch.setattr(stock, "BATCH", 3)
    monkeypatch.setattr(sending, "TICK", 0.001)
    plan(database, 10)
    replies = [None, "550 5.1.1 No such user", "451 4.7.1 Later", TAKE_AND_DROP]
    told: list[tuple[int, int]] = []
    with (
        ScriptedServer(on_body=in_turn(*replies)) as server,
        office_at(database, server, speed=Speed(connections)) as office,
    ):
        drained = drain(
            office, SLOT, repeat_uncertain=False, progress=lambda done, due: told.append((done, due))
        )
    assert told[0] == (0, 10)
    assert told[-1] == (10, 10)
    assert {due for _, due in told} == {10}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert drained.states == states(database) == {"sent": 7, "failed": 1, "deferred": 1, "uncertain": 1}


def test_a_run_that_stops_tells_how_far_it_came(database: Database) -> None:
    plan(database, 5)
    told: list[tuple[int, int]] = []
    with (
        ScriptedServer(on_mail=in_turn(None, None, "550 5.7.1 Sender refused")) as server,
        office_at(database, server) as office,
    ):
        drain(office, SLOT, repeat_uncertain=True, progress=lambda done, due: told.append((done, due)))
    assert told[-1] == (2, 5)
