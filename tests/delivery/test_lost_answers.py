"""Claims that were committed although the answer was lost: the same run finds them and sends each mail once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from core.database import Database
from delivery import claim_buffer, outbox
from tests.support.database_faults import log_lines, lose_answer
from tests.support.factories import NOW
from tests.support.outbox import deliveries, plan_mails, recipients, send, states
from tests.support.servers.smtp import ScriptedServer

MAILS = 60


class LostAnswers:
    """Loses the answers to the COMMITs of the claims with these numbers: the connection ends after the COMMIT."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
        self._is_claim, self._claims, self._numbers = False, 0, numbers
        self._commit: Callable[[Any], None] = database.engine.dialect.do_commit
        monkeypatch.setattr(outbox, "claim", self._noting(outbox.claim))
        monkeypatch.setattr(database.engine.dialect, "do_commit", self._commit_and_lose)

    def _noting(self, claim: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **options: Any) -> Any:
            self._is_claim = True
            return claim(*args, **options)

        return noted

    def _commit_and_lose(self, connection: Any) -> None:
        self._commit(connection)
        is_claim, self._is_claim = self._is_claim, False
        self._claims += is_claim
        if is_claim and self._claims in self._numbers:
            lose_answer(connection)


@pytest.mark.parametrize("lost", [(1,), (2,), (1, 2, 3), (2, 3)])
def test_a_run_finds_what_it_has_claimed_without_an_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch, lost: tuple[int, ...]
) -> None:
    addresses = plan_mails(database, MAILS)
    monkeypatch.setattr(claim_buffer, "MAX_BATCH", 20)
    LostAnswers(database, monkeypatch, *lost)
    with ScriptedServer() as server, log_lines() as lines:
        result = send(database, server)
    assert len(lines) == len(lost)
    assert result.states == {"sent": MAILS}
    assert states(database) == {"sent": MAILS}
    assert sorted(recipients(server)) == sorted(addresses)
    assert {delivery.attempts for delivery in deliveries(database)} == {1}


def test_a_stopped_run_puts_back_what_it_has_claimed_without_an_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = plan_mails(database, MAILS)
    monkeypatch.setattr(claim_buffer, "MAX_BATCH", 20)
    LostAnswers(database, monkeypatch, 1)
    with ScriptedServer(on_mail="530 5.7.0 Authentication required") as server:
        assert send(database, server).stopped
    assert states(database) == {"planned": MAILS}
    with ScriptedServer() as server:
        send(database, server)
    assert sorted(recipients(server)) == sorted(addresses)


def test_a_deferred_mail_in_a_claim_without_an_answer_keeps_its_attempts(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_mails(database, 3)
    with ScriptedServer(on_rcpt="451 4.3.0 later") as server:
        send(database, server)
    LostAnswers(database, monkeypatch, 1)
    with ScriptedServer() as server:
        send(database, server, now=NOW + timedelta(hours=1))
    assert states(database) == {"sent": 3}
    assert {delivery.attempts for delivery in deliveries(database)} == {2}


def test_a_run_whose_answers_are_not_lost_never_looks_for_such_claims(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_mails(database, MAILS)
    monkeypatch.setattr(claim_buffer, "MAX_BATCH", 20)
    monkeypatch.setattr(outbox, "claimed_ids", lambda *_: pytest.fail("one more query"))
    with ScriptedServer() as server:
        assert send(database, server).states == {"sent": MAILS}
