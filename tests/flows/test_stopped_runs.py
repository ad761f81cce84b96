"""What flows do after a digest that stopped: retries, a further sender, and a run by hand at another time."""

from collections import Counter
from datetime import datetime

import pytest

from core.errors import RunFailedError
from core.frequencies import Frequency
from flows.digest import digest
from flows.drain import drain
from flows.upkeep import upkeep
from tests.flows.alarm_mails import OPERATOR, alarm_subjects
from tests.support.factories import NOW
from tests.support.servers.smtp import TAKE_AND_DROP, ScriptedServer, in_order

REFUSED = "550 5.7.1 Not your domain"
SLOT = "weekly:2025-W32"


@pytest.fixture
def stopped_digest(server: ScriptedServer) -> ScriptedServer:
    """The mail server after it has refused the sender of a digest, whose mail stays planned."""
    server.on_mail = in_order(REFUSED)
    with pytest.raises(RunFailedError, match="1 deliveries stay planned"):
        digest(Frequency.WEEKLY, now=NOW)
    assert server.messages == []
    return server


def test_an_upkeep_whose_retries_stop_fails_and_the_operator_is_told(
    stopped_digest: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAPERBOY_OPERATOR", OPERATOR)
    stopped_digest.on_mail = in_order(REFUSED)
    with pytest.raises(RunFailedError, match="Not your domain"):
        upkeep(now=NOW)
    assert alarm_subjects(stopped_digest) == ["Paperboy needs you: a run of upkeep failed"]


def test_a_further_sender_sends_what_waits_in_the_slot_and_nothing_else(
    stopped_digest: ScriptedServer,
) -> None:
    assert drain("daily:2025-08-04", now=NOW) == {}
    assert drain(SLOT, now=NOW) == {"sent": 1}
    assert [message.rcpt for message in stopped_digest.messages] == [["minji@example.com"]]


@pytest.mark.parametrize(("setting", "state", "mails"), [("hold", "uncertain", 1), ("repeat", "sent", 2)])
def test_a_further_sender_repeats_an_uncertain_mail_only_if_the_setting_says_so(
    stopped_digest: ScriptedServer, monkeypatch: pytest.MonkeyPatch, setting: str, state: str, mails: int
) -> None:
    monkeypatch.setenv("PAPERBOY_UNCERTAIN", setting)
    stopped_digest.on_body = in_order(TAKE_AND_DROP)
    assert +Counter(drain(SLOT, now=NOW)) == {state: 1}
    assert len(stopped_digest.messages) == mails


def test_a_further_sender_that_the_server_stops_fails_with_the_reason(stopped_digest: ScriptedServer) -> None:
    stopped_digest.on_mail = REFUSED
    with pytest.raises(RunFailedError, match=f"{SLOT} stopped: .*Not your domain"):
        drain(SLOT, now=NOW)


@pytest.mark.parametrize(
    ("frequency", "slot"), [(Frequency.WEEKLY, SLOT), (Frequency.DAILY, "daily:2025-08-10")]
)
def test_a_time_without_a_zone_that_is_given_by_hand_is_local_time(
    server: ScriptedServer, frequency: Frequency, slot: str
) -> None:
    sunday_evening = datetime(2025, 8, 10, 20)  # noqa: DTZ001  in UTC it would be Monday morning in Seoul
    assert digest(frequency, now=sunday_evening)["slot"] == slot
    assert len(server.messages) == 1
