"""The flow that sends copies by an operator's hand; at first it only shows the plan."""

from datetime import datetime
from typing import Any, Literal

from prefect import flow, runtime

from core.database import reading
from flows.runtime import end, moment, open_store, show, tell_of_failure
from mailings.context import open_office, rules_of
from mailings.resend import execute, plan
from mailings.resend.eligibility import Group, RequestError


@flow(name="resend", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def resend(
    issue: str = "",
    correction: bool = False,
    delivery: int = 0,
    to: str = "",
    groups: list[Group] = [],  # noqa: B006  never changed
    language: Literal["", "ko", "en", "both"] = "",
    frequency: Literal["", "weekly", "daily"] = "",
    reason: str = "",
    dry_run: bool = True,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Send copies to those who should get them. The plan is the artifact `resend-plan`: look at it, then run
    again without `dry_run`. The same request, made again, sends nothing twice.

    Args:
        issue: Its first day (2025-07-28) or topic id.
        correction: Only the issue's corrected papers, to those who got the old text.
        delivery: In place of an issue: the id of one mail to send once more; 0 for none.
        to: One active reader's address.
        groups: Those who need it, by what became of their mail; several can be chosen.
        language: Only readers of this language.
        frequency: Only readers of this frequency.
        reason: Why; it is kept with the request.
        dry_run: Only show the plan.
        now: Act as if it were this time.
    """
    settings, database = open_store()
    request = plan.Request(
        issue, delivery or None, correction, to, tuple(groups), language, frequency, reason
    )
    if not (reason or to or dry_run):
        raise RequestError("say why: the reason is kept with the request")
    with open_office(settings, database, now and moment(now)) as office:
        with reading(database) as session:
            plan = plan.plan(session, request, office.house, moment(now))
        show("resend-plan", f"{plan.what}: {plan.copies} copies", plan.as_json())
        if dry_run or plan.is_empty:
            return plan.as_json()
        asked_by = f"Prefect run {runtime.flow_run.name}"
        report = execute.carry_out(office, plan, asked_by=asked_by, rules=rules_of(settings), now=moment(now))
    show("resend", report.line(), report.as_json())
    end(report.fault)
    return report.as_json()
