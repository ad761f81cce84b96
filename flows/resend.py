"""The flow that sends something again by an operator's hand; by default it only shows the plan."""

from datetime import datetime
from typing import Any, Literal

from prefect import flow, runtime

from core.database import read_only
from core.frequencies import Frequency
from core.languages import Language
from delivery.context import SendingContext
from emails.edition import EmptyIssueError
from flows.run_names import named, resend_name
from flows.run_results import publish_digest, publish_summary, sending_progress, tells_what_is_left
from flows.runtime import alert_on_failure, as_task, completed, fail_run, moment, open_run, refused
from issues.store import StoreError
from mailings.context import open_sending_context, rules_from
from mailings.resend.execute import execute
from mailings.resend.plan import ResendPlan, copies_by_state, plan_resend
from mailings.resend.request import ResendError, ResendGroup, ResendRequest
from monitoring.run_summaries import values_summary
from subscribers.addresses import AccountError

WRONG_REQUEST = (ResendError, StoreError, EmptyIssueError, AccountError)  # what the form cannot check


@flow(
    name="resend",
    flow_run_name=named(resend_name),
    on_failure=[alert_on_failure],
    on_crashed=[alert_on_failure],
)
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
    with (
        open_run() as (settings, database),
        open_sending_context(settings, database, now and moment(now)) as context,
    ):
        try:
            plan = as_task("plan", lambda: _plan(context, request, dry_run, moment(now)))
        except WRONG_REQUEST as error:
            return refused(error)
        line = f"{plan.what}: {plan.copies} copies"
        publish_summary("resend-plan", values_summary(line, plan.as_json()), line)
        if dry_run or plan.is_empty:
            return completed(f"{line}, not sent", plan.as_json())
        with tells_what_is_left("resend", line, database, lambda session: copies_by_state(session, plan)):
            report = execute(
                context,
                plan,
                asked_by=f"Prefect run {runtime.flow_run.id}",
                rules=rules_from(settings),
                now=moment(now),
                progress=sending_progress("resend-progress"),
                step=as_task,
            )
        publish_digest("resend", report, settings, database)
        fail_run(report.fault)
        return completed(report.line(), report.as_json())


def _plan(context: SendingContext, request: ResendRequest, dry_run: bool, now: datetime) -> ResendPlan:
    if not (request.reason or request.to or dry_run):
        raise ResendError("say why: the reason is kept with the request")
    with read_only(context.database) as session:
        return plan_resend(session, request, context.identity, now)
