"""The plan of copies by hand: exactly those who should get one are in it, and no unclear request has one."""

from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from core.database import Database
from delivery.models import Delivery, Resend
from emails.edition import EmptyIssueError
from issues.models import Paper
from mailings.resend.eligibility import COMES_WITH_DIGEST, OLD_TEXT_UNDER_WAY
from mailings.resend.request import ResendError, ResendRequest
from subscribers.accounts import find, pause, unsubscribe
from subscribers.addresses import AccountError
from subscribers.suppression import suppress
from tests.support.account_actions import subscribe
from tests.support.factories import NOW
from tests.support.resends import (
    ISSUE,
    LATER,
    correct_paper,
    deliver_to_each_group,
    digest,
    mails_by_recipient,
    papers_of,
    planned,
    resend,
)
from tests.support.servers.smtp import ScriptedServer


@pytest.mark.parametrize("group", ["failed", "expired", "uncertain", "missed"])
def test_each_group_is_exactly_those_who_are_in_it(
    issue: Database, server: ScriptedServer, group: Any
) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=(group,))
    made = planned(issue, request)
    assert dict(made.found.reasons) == {group: 1}
    report = resend(issue, server, request)
    assert (report.sent, report.candidates, report.balances) == (made.mails_by_recipient, 1, True)
    ((address, mail),) = mails_by_recipient(server)
    assert address.startswith(f"{group}@")
    assert papers_of(mail) == [1, 2, 3, 4]


def test_groups_together_reach_each_reader_once(issue: Database, server: ScriptedServer) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=("failed", "expired", "uncertain", "missed"))
    assert resend(issue, server, request).sent == 4
    assert [address.partition("@")[0] for address, _ in mails_by_recipient(server)] == [
        "expired",
        "failed",
        "missed",
        "uncertain",
    ]


def test_a_segment_is_the_readers_of_a_language_and_a_frequency(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "ko-weekly@a.example", "ko-weekly@b.example")
    subscribe(issue, "ko-daily@a.example", frequency="daily")
    subscribe(issue, "en-daily@a.example", frequency="daily", language="en")
    assert resend(issue, server, replace(ISSUE, language="ko", frequency="daily")).sent == 1
    assert resend(issue, server, replace(ISSUE, language="en")).sent == 1
    assert [address for address, _ in mails_by_recipient(server)] == [
        "en-daily@a.example",
        "ko-daily@a.example",
    ]


def test_nobody_suppressed_or_gone_is_sent_a_copy_and_the_plan_counts_them(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "fine@a.example", "gone@b.example", "dead@c.example", "resting@d.example")
    with issue.sessions.begin() as session:
        unsubscribe(cast(Any, find(session, "gone@b.example")), NOW)
        suppress(session, "dead@c.example", "returned: 5.1.1", NOW)
        pause(cast(Any, find(session, "resting@d.example")), NOW)
    made = planned(issue, replace(ISSUE, groups=("everyone",)))
    assert dict(made.found.left_out) == {"unsubscribed": 1, "bounced": 1, "paused": 1}
    assert resend(issue, server, replace(ISSUE, groups=("everyone",))).sent == 1
    assert [address for address, _ in mails_by_recipient(server)] == ["fine@a.example"]


def test_readers_whom_the_next_digest_brings_the_papers_are_not_missed(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "new@a.example")
    made = planned(issue, replace(ISSUE, groups=("missed",)))
    assert (made.mails_by_recipient, made.found.left_out[COMES_WITH_DIGEST]) == (0, 1)
    assert digest(issue, server).sent == 1
    assert planned(issue, replace(ISSUE, groups=("missed",))).mails_by_recipient == 0


def test_whom_the_old_text_is_still_on_its_way_to_is_named_as_left_out(issue: Database) -> None:
    subscribe(issue, "slow@a.example")
    with ScriptedServer(on_rcpt="450 4.2.0 later") as deferring:
        assert digest(issue, deferring).deferred == 1
    correct_paper(issue, 2, LATER)
    request = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert planned(issue, request, LATER).found.left_out[OLD_TEXT_UNDER_WAY] == 1
    with issue.sessions() as session:
        (id_,) = session.scalars(select(Delivery.id))
    with pytest.raises(ResendError, match="deferred: there is nothing to send again yet"):
        planned(issue, ResendRequest(delivery=id_))


def test_a_plan_stores_nothing_names_no_whole_address_and_changes_its_fingerprint_with_the_readers(
    issue: Database,
) -> None:
    subscribe(issue, "minji@a.example")
    made = planned(issue, replace(ISSUE, groups=("everyone",)))
    assert "minji@a.example" not in str(made.as_json())
    with issue.sessions() as session:
        assert not session.scalars(select(Resend)).all()
        assert not session.scalars(select(Delivery)).all()
    subscribe(issue, "bob@b.example")
    assert planned(issue, replace(ISSUE, groups=("everyone",))).fingerprint != made.fingerprint


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (ResendRequest(reason="x"), "name an issue or a delivery"),
        (ResendRequest(issue="2025-07-28", delivery=1), "one of them"),
        (ISSUE, "say to whom"),
        (ResendRequest(delivery=1, to="minji@a.example"), "leave out all else"),
        (ResendRequest(delivery=77), "no digest with the delivery id 77"),
        (replace(ISSUE, to="minji@a.example", groups=("failed",)), "needs no group"),
        (replace(ISSUE, groups=cast(Any, ("lucky",))), "there is no group 'lucky'"),
        (replace(ISSUE, is_correction=True), "no paper .* was corrected"),
    ],
)
def test_a_request_that_is_not_clear_is_refused_with_a_reason(
    issue: Database, request_: ResendRequest, says: str
) -> None:
    with pytest.raises(ResendError, match=says):
        planned(issue, request_)


@pytest.mark.parametrize("address", ["stranger@a.example", "paused@a.example"])
def test_nobody_but_an_active_reader_is_named_by_address(issue: Database, address: str) -> None:
    subscribe(issue, "paused@a.example")
    with issue.sessions.begin() as session:
        pause(cast(Any, find(session, "paused@a.example")), NOW)
    with pytest.raises(AccountError, match="only active readers are mailed"):
        planned(issue, replace(ISSUE, to=address))


def test_an_issue_without_papers_cannot_be_sent_by_hand(issue: Database) -> None:
    with issue.sessions.begin() as session:
        session.execute(update(Paper).values(withdrawn_at=NOW))
    with pytest.raises(EmptyIssueError, match="no paper in force"):
        planned(issue, replace(ISSUE, groups=("everyone",)))
