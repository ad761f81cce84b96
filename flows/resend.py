"""The flow that sends something again by an operator's hand; by default it only shows the plan."""

from datetime import datetime
from typing import Any, Literal

from prefect import flow, runtime

from core.database import read_only
from core.frequencies import Frequency
from core.languages import Language
from flows.runtime import alert_on_failure, fail_run, moment, open_installation, publish_result
from mailings.context import open_sending_context, rules_from
from mailings.resend.execute import execute
from mailings.resend.plan import plan_resend
from mailings.resend.request import ResendError, ResendGroup, ResendRequest


@flow(name="resend", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def resend(  # long, because Prefect shows each parameter and its description to the operator
    issue: str = "",
    correction: bool = False,
    delivery: int = 0,
    to: str = "",
    groups: list[ResendGroup] = [],  # noqa: B006  it is never changed
    language: Literal[""] | Language = "",
    frequency: Literal[""] | Frequency = "",
    reason: str = "",
    dry_run: bool = True,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Send copies to those who should get them. The plan is the artifact `resend-plan`: look at it, then run
    again without `dry_run`. The same request, made again, sends nothing twice.

    Args:
        issue: Its first day (2025-07-28) or topic id.
        correction: Only the issue's corrected papers, to those who got the old text.
        delivery: In place of an issue: the id of one mail to send once more, or 0 for none.
        to: One active reader's address.
        groups: Those who need it, by what became of their mail. Several can be chosen.
        language: Only readers of this language.
        frequency: Only readers of this frequency.
        reason: Why. It is kept with the request.
        dry_run: Only show the plan.
        now: Act as if it were this time.
    """
    settings, database = open_installation()
    request = ResendRequest(
        issue,
        delivery or None,
        correction,
        to,
        tuple(groups),
        language or None,
        frequency or None,
        reason,
    )
    if not (reason or to or dry_run):
        raise ResendError("say why: the reason is kept with the request")
    with open_sending_context(settings, database, now and moment(now)) as context:
        with read_only(database) as session:
            plan = plan_resend(session, request, context.identity, moment(now))
        publish_result("resend-plan", f"{plan.what}: {plan.copies} copies", plan.as_json())
        if dry_run or plan.is_empty:
            return plan.as_json()
        asked_by = f"Prefect run {runtime.flow_run.name}"
        report = execute(context, plan, asked_by=asked_by, rules=rules_from(settings), now=moment(now))
    publish_result("resend", report.line(), report.as_json())
    fail_run(report.fault)
    return report.as_json()
