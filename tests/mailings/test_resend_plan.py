"""The plan of a resend has exactly those who should get a copy, and an unclear request has no plan."""

from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.frequencies import Frequency
from core.languages import Language
from delivery.models import Delivery, Resend
from emails.edition import EmptyIssueError
from issues.models import Paper
from mailings.resend.eligibility import COMES_WITH_DIGEST, OLD_TEXT_UNDER_WAY
from mailings.resend.plan import ResendPlan
from mailings.resend.request import ResendError, ResendGroup, ResendRequest
from subscribers.accounts import find, pause, unsubscribe
from subscribers.addresses import AccountError
from subscribers.status import SubscriberStatus
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

GROUPS = (ResendGroup.FAILED, ResendGroup.EXPIRED, ResendGroup.UNCERTAIN, ResendGroup.MISSED)


@pytest.mark.parametrize("group", GROUPS)
def test_a_resend_to_a_group_reaches_exactly_its_members(
    issue: Database, server: ScriptedServer, group: ResendGroup
) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=(group,))
    plan = planned(issue, request)
    assert dict(plan.eligible.reasons) == {group: 1}
    report = resend(issue, server, request)
    assert (report.sent, report.candidates, report.balances) == (plan.copies, 1, True)
    ((address, mail),) = mails_by_recipient(server)
    assert address.startswith(f"{group}@")
    assert papers_of(mail) == [1, 2, 3, 4]


def test_several_groups_together_reach_each_subscriber_once(issue: Database, server: ScriptedServer) -> None:
    deliver_to_each_group(issue)
    request = replace(ISSUE, groups=GROUPS)
    assert resend(issue, server, request).sent == 4
    assert [address.partition("@")[0] for address, _ in mails_by_recipient(server)] == [
        "expired",
        "failed",
        "missed",
        "uncertain",
    ]


def test_language_and_frequency_narrow_a_resend(issue: Database, server: ScriptedServer) -> None:
    subscribe(issue, "ko-weekly@a.example", "ko-weekly@b.example")
    subscribe(issue, "ko-daily@a.example", frequency="daily")
    subscribe(issue, "en-daily@a.example", frequency="daily", language="en")
    assert resend(issue, server, replace(ISSUE, language=Language.KO, frequency=Frequency.DAILY)).sent == 1
    assert resend(issue, server, replace(ISSUE, language=Language.EN)).sent == 1
    assert [address for address, _ in mails_by_recipient(server)] == [
        "en-daily@a.example",
        "ko-daily@a.example",
    ]


def test_only_active_subscribers_get_a_copy_and_the_plan_counts_the_others(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "fine@a.example", "gone@b.example", "dead@c.example", "resting@d.example")
    with issue.sessions.begin() as session:
        unsubscribe(cast(Any, find(session, "gone@b.example")), NOW)
        suppress(session, "dead@c.example", "returned: 5.1.1", NOW)
        pause(cast(Any, find(session, "resting@d.example")), NOW)
    plan = planned(issue, replace(ISSUE, groups=(ResendGroup.EVERYONE,)))
    assert dict(plan.eligible.left_out) == {"unsubscribed": 1, "bounced": 1, "paused": 1}
    assert resend(issue, server, replace(ISSUE, groups=(ResendGroup.EVERYONE,))).sent == 1
    assert [address for address, _ in mails_by_recipient(server)] == ["fine@a.example"]


def test_subscribers_who_get_the_papers_with_the_next_digest_are_not_missed(
    issue: Database, server: ScriptedServer
) -> None:
    subscribe(issue, "new@a.example")
    plan = planned(issue, replace(ISSUE, groups=(ResendGroup.MISSED,)))
    assert (plan.copies, plan.eligible.left_out[COMES_WITH_DIGEST]) == (0, 1)
    assert digest(issue, server).sent == 1
    assert planned(issue, replace(ISSUE, groups=(ResendGroup.MISSED,))).copies == 0


def test_a_correction_leaves_out_those_whose_old_mail_is_under_way(issue: Database) -> None:
    subscribe(issue, "slow@a.example")
    with ScriptedServer(on_rcpt="450 4.2.0 later") as deferring:
        assert digest(issue, deferring).deferred == 1
    correct_paper(issue, 2, LATER)
    request = ResendRequest(issue="2025-07-28", is_correction=True, reason="wrong figures")
    assert planned(issue, request, LATER).eligible.left_out[OLD_TEXT_UNDER_WAY] == 1
    with issue.sessions() as session:
        (id_,) = session.scalars(select(Delivery.id))
    with pytest.raises(ResendError, match="deferred: there is nothing to send again yet"):
        planned(issue, ResendRequest(delivery=id_))


def test_a_plan_stores_nothing_shows_no_address_and_has_a_fingerprint_of_its_copies(
    issue: Database,
) -> None:
    subscribe(issue, "minji@a.example")
    plan = planned(issue, replace(ISSUE, groups=(ResendGroup.EVERYONE,)))
    assert "minji@a.example" not in str(plan.as_json())
    with issue.sessions() as session:
        assert not session.scalars(select(Resend)).all()
        assert not session.scalars(select(Delivery)).all()
    subscribe(issue, "bob@b.example")
    assert planned(issue, replace(ISSUE, groups=(ResendGroup.EVERYONE,))).fingerprint != plan.fingerprint


def test_a_plan_for_other_subscribers_has_another_fingerprint_even_if_they_are_as_many(
    issue: Database,
) -> None:
    names = [f"reader{number}@a.example" for number in range(9)]
    subscribe(issue, *names)
    request = replace(ISSUE, groups=(ResendGroup.EVERYONE,))

    def plan_without(*paused: str) -> ResendPlan:
        with issue.sessions.begin() as session:
            for name in names:
                status = SubscriberStatus.PAUSED if name in paused else SubscriberStatus.ACTIVE
                cast(Any, find(session, name)).status = status
        return planned(issue, request)

    before = plan_without(names[6], names[7])
    for paused in ((names[5], names[7]), (names[5], names[8])):  # the ids of the last pair have the same sum
        after = plan_without(*paused)
        assert after.as_json() == before.as_json(), "the operator sees the same plan"
        assert after.fingerprint != before.fingerprint
    assert plan_without(names[6], names[7]).fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ResendRequest(reason="x"), "name an issue or a delivery"),
        (ResendRequest(issue="2025-07-28", delivery=1), "one of them"),
        (ISSUE, "say to whom"),
        (ResendRequest(delivery=1, to="minji@a.example"), "leave out all else"),
        (ResendRequest(delivery=77), "no digest with the delivery id 77"),
        (replace(ISSUE, to="minji@a.example", groups=(ResendGroup.FAILED,)), "needs no group"),
        (replace(ISSUE, is_correction=True), "no paper .* was corrected"),
    ],
)
def test_an_unclear_request_is_rejected_with_a_reason(
    issue: Database, request_: ResendRequest, message: str
) -> None:
    with pytest.raises(ResendError, match=message):
        planned(issue, request_)


@pytest.mark.parametrize("address", ["stranger@a.example", "paused@a.example"])
def test_only_active_subscribers_can_be_named_by_address(issue: Database, address: str) -> None:
    subscribe(issue, "paused@a.example")
    with issue.sessions.begin() as session:
        pause(cast(Any, find(session, "paused@a.example")), NOW)
    with pytest.raises(AccountError, match="only active readers are mailed"):
        planned(issue, replace(ISSUE, to=address))


def test_an_issue_without_papers_cannot_be_resent(issue: Database) -> None:
    with issue.sessions.begin() as session:
        session.execute(update(Paper).values(withdrawn_at=NOW))
    with pytest.raises(EmptyIssueError, match="no paper in force"):
        planned(issue, replace(ISSUE, groups=(ResendGroup.EVERYONE,)))
