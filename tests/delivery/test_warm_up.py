"""Warm-up: a new domain's daily cap for each large provider, which grows by day. The rest waits for the next morning."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from core.database import Database
from core.rate_storage import DatabaseStorage
from delivery import claim_buffer
from delivery.context import SendingLimits
from delivery.daily_caps import MAX_PORTION, PORTIONS
from delivery.warm_up import DAYS, WarmUp
from tests.support.account_actions import fill_in_form
from tests.support.factories import NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

SEOUL = ZoneInfo("Asia/Seoul")
FIRST_DAY = date(2025, 8, 4)  # on which NOW is 17:00
NEXT_MORNING = datetime(2025, 8, 4, 23, 0, tzinfo=UTC)  # 08:00 in Seoul
DAY = timedelta(days=1)


class CrashError(BaseException):
    """The process crashes here."""


def warm_up(cap: int, **limits: int) -> SendingLimits:
    """Limits with a warm-up whose first day is that of NOW."""
    return SendingLimits(warm_up=WarmUp(FIRST_DAY, cap, SEOUL), **limits)


def counted(database: Database, provider: str = "Gmail") -> int:
    """How many mails to the provider are counted on the first day."""
    return DatabaseStorage(database).get(f"warm-up/{FIRST_DAY}/{provider}")


def count_by_domain(server: ScriptedServer) -> Counter[str]:
    """How many mails each domain got."""
    return Counter(address.partition("@")[2] for address in recipients(server))


def test_the_cap_grows_by_half_each_local_day_and_ends_after_thirty() -> None:
    rule = WarmUp(FIRST_DAY, 200, SEOUL)
    midnight = datetime(2025, 8, 4, 0, 0, tzinfo=SEOUL)
    caps = [rule.cap(midnight + day * DAY + timedelta(hours=23)) for day in range(DAYS + 2)]
    assert caps[:5] == [200, 300, 450, 675, 1012]
    assert caps[DAYS - 1] is not None
    assert caps[DAYS:] == [None, None]
    assert rule.cap(midnight - 10 * DAY) == 200, "it has not begun, and begins with the first cap"
    assert rule.last_day == date(2025, 9, 2)


def test_what_is_above_the_cap_goes_out_the_next_morning_and_nothing_is_lost_or_repeated(
    database: Database,
) -> None:
    addresses = plan_mails(database, 14, domain="gmail.com")
    with ScriptedServer() as server:
        assert send(database, server, limits=warm_up(5)).stopped == ""
        assert states(database) == {"sent": 5, "planned": 9}
        assert {mail.due_at for mail in deliveries(database) if mail.state == "planned"} == {NEXT_MORNING}
        for now in (NOW + timedelta(minutes=15), NEXT_MORNING - timedelta(minutes=10)):
            send(database, server, limits=warm_up(5), now=now)
        assert len(server.messages) == 5, "the day is full, whatever runs on it"
        send(database, server, limits=warm_up(5), now=NEXT_MORNING)
        assert len(server.messages) == 5 + 7
        send(database, server, limits=warm_up(5), now=NEXT_MORNING + DAY)
    assert recipients(server) == addresses, "the order stays"
    assert states(database) == {"sent": 14}


def test_other_providers_and_other_domains_go_on(database: Database) -> None:
    for count, domain in ((6, "gmail.com"), (2, "googlemail.com"), (3, "naver.com"), (20, "univ.ac.kr")):
        plan_mails(database, count, domain=domain)
    with ScriptedServer() as server:
        send(database, server, limits=warm_up(4, connections=2))
    assert count_by_domain(server) == {"gmail.com": 4, "naver.com": 3, "univ.ac.kr": 20}
    assert (counted(database), counted(database, "Naver")) == (4, 3), (
        "what was reserved too much is given back"
    )


def test_when_the_warm_up_is_over_everything_goes_out(database: Database) -> None:
    plan_mails(database, 6, domain="gmail.com")
    with ScriptedServer() as server:
        send(database, server, limits=warm_up(4))
        send(database, server, limits=warm_up(4), now=NOW + DAYS * DAY)
    assert states(database) == {"sent": 6}


def test_a_run_does_not_wait_for_the_next_morning(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sleep(_seconds: float) -> None:
        pytest.fail("the run waits")

    timer = SimpleNamespace(Lock=asyncio.Lock, get_running_loop=asyncio.get_running_loop, sleep=sleep)
    monkeypatch.setattr(claim_buffer, "asyncio", timer)
    plan_mails(database, 500, domain="gmail.com")
    with ScriptedServer() as server:
        for now in (NOW, NEXT_MORNING - timedelta(minutes=6)):
            send(database, server, limits=warm_up(2), now=now)
    assert states(database) == {"sent": 2, "planned": 498}


# --- letters ------------------------------------------------------------------------


def test_a_letter_goes_out_on_a_full_day_and_takes_a_place_on_any_other(database: Database) -> None:
    plan_mails(database, 3, domain="gmail.com")
    fill_in_form(database, "first@gmail.com")
    with ScriptedServer() as server:
        send(database, server, limits=warm_up(2))
        assert sorted(recipients(server)) == ["first@gmail.com", "reader0@gmail.com"]
        fill_in_form(database, "second@gmail.com")
        send(database, server, limits=warm_up(2))
    assert recipients(server)[2:] == ["second@gmail.com"]


# --- several senders, and crashes ---------------------------------------------------


def test_senders_at_the_same_time_stay_within_the_cap(database: Database) -> None:
    cap, portion = 60, 60 // PORTIONS
    plan_mails(database, 150, domain="gmail.com")
    with ScriptedServer() as server:
        fields = {"limits": warm_up(cap, connections=3)}
        senders = [threading.Thread(target=send, args=(database, server), kwargs=fields) for _ in range(2)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
        sent = len(server.messages)
        assert cap - 2 * portion < sent <= cap, (
            "a sender may hold the rest of a portion when others find the day full"
        )
        assert counted(database) == sent
        plan_mails(database, 10, domain="googlemail.com")
        send(database, server, limits=warm_up(cap))
    assert len(server.messages) == cap, "what they gave back is for whoever comes next"


def test_a_crash_loses_at_most_a_portion_of_the_day_and_no_mail(database: Database) -> None:
    cap, portion = 60, 60 // PORTIONS
    addresses = plan_mails(database, 80, domain="gmail.com")
    with ScriptedServer() as server:

        def crash_after_seven() -> datetime:
            if len(server.messages) >= 7:
                raise CrashError
            return NOW

        with pytest.raises(CrashError):
            send(database, server, limits=warm_up(cap), now=crash_after_seven)
        send(database, server, limits=warm_up(cap), lease=timedelta(0), now=NOW + timedelta(minutes=2))
        in_flight = 2  # one mail at the server, and the next one ready
        assert cap - portion - in_flight <= len(server.messages) <= cap
        send(database, server, limits=warm_up(cap), now=NEXT_MORNING)
    assert states(database) == {"sent": 80}
    assert set(recipients(server)) == set(addresses)


def test_mails_that_reached_no_server_leave_their_places_to_others(database: Database) -> None:
    plan_mails(database, 50, domain="gmail.com")
    with ScriptedServer(on_connect="554 5.3.2 Closed") as closed:
        assert send(database, closed, limits=warm_up(40, connections=2)).stopped
    assert counted(database) == 0
    with ScriptedServer() as server:
        send(database, server, limits=warm_up(40))
    assert len(server.messages) == 40


def test_places_are_reserved_in_portions_and_not_for_each_mail(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = []
    count = DatabaseStorage.incr

    def incr(storage: DatabaseStorage, key: str, expiry: int, amount: int = 1) -> int:
        statements.append(amount)
        return count(storage, key, expiry, amount)

    monkeypatch.setattr(DatabaseStorage, "incr", incr)
    plan_mails(database, 500, domain="gmail.com")
    with ScriptedServer() as server:
        send(database, server)
        assert statements == [], "without a warm-up nothing is counted"
        plan_mails(database, 500, domain="naver.com")
        send(database, server, limits=warm_up(100_000))
    assert statements == [MAX_PORTION, MAX_PORTION, MAX_PORTION, -100]
