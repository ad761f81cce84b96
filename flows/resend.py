"""The flow that sends copies by an operator's hand; at first it only shows the plan."""

from datetime import datetime
from typing import Annotated, Any, Literal

from prefect import flow, runtime
from pydantic import Field

from emails import copies, resends
from emails.needs import Group
from emails.office import open_office, rules_of
from flows.doors import end, moment, open_store, show, tell_of_failure


@flow(name="resend", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def resend(
    issue: Annotated[str, Field(description="First day of the week (2025-07-28) or topic id.")] = "",
    delivery: Annotated[int | None, Field(description="One delivery's id, in place of an issue.")] = None,
    correction: Annotated[bool, Field(description="Only the corrected papers.")] = False,
    to: Annotated[str, Field(description="One active reader's address.")] = "",
    groups: Annotated[list[Group], Field(description="Those who need it, by what became of theirs.")] = [],  # noqa: B006  never changed
    language: Annotated[Literal["", "ko", "en", "both"], Field(description="Only its readers.")] = "",
    frequency: Annotated[Literal["", "weekly", "daily"], Field(description="Only its readers.")] = "",
    reason: Annotated[str, Field(description="Why; it is kept with the request.")] = "",
    dry_run: Annotated[bool, Field(description="Only show the plan.")] = True,
    now: Annotated[datetime | None, Field(description="Act as if it were this time.")] = None,
) -> dict[str, Any]:
    """Send copies to those who should get them. The plan is the artifact `resend-plan`: look at it, then run
    again without `dry_run`. The same request, made again, sends nothing twice."""
    settings, database = open_store()
    request = resends.Request(issue, delivery, correction, to, tuple(groups), language, frequency, reason)
    if not (reason or to or dry_run):
        raise resends.RequestError("say why: the reason is kept with the request")
    with open_office(settings, database, now and moment(now)) as office:
        with database.sessions() as session:
            plan = resends.plan(session, request, office.house, moment(now))
        show("resend-plan", f"{plan.what}: {plan.copies} copies", plan.as_json())
        if dry_run or plan.is_empty:
            return plan.as_json()
        asked_by = f"Prefect run {runtime.flow_run.name}"
        report = copies.carry_out(office, plan, asked_by=asked_by, rules=rules_of(settings), now=moment(now))
    show("resend", report.line(), report.as_json())
    end(report.fault)
    return report.as_json()
