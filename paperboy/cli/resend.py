"""`paperboy resend` and `reconcile`: what goes out once more, and after a restore what need not."""

import sys
from dataclasses import asdict
from typing import Annotated, Any, cast

import typer

from mailings.resend.eligibility import GROUPS, Group
from mailings.resend.plan import Plan, Request
from paperboy.cli.digests import progress_bar, report_run
from paperboy.cli.options import Json, Now, issue_name, moment, one_of, show
from paperboy.reports import resending as reports
from subscribers.models import FREQUENCIES, LANGUAGES


def resend(
    issue: Annotated[
        str | None, typer.Argument(metavar="[ISSUE]", help="First day of the week (2025-07-28) or topic id.")
    ] = None,
    delivery: Annotated[
        int | None, typer.Option(metavar="ID", help="One delivery once more, in place of an issue.")
    ] = None,
    correction: Annotated[
        bool, typer.Option("--correction", help="Only the corrected papers, to those who got the old text.")
    ] = False,
    to: Annotated[str, typer.Option(metavar="EMAIL", help="One active reader.")] = "",
    group: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(GROUPS)}; can be given several times.")
    ] = None,
    language: Annotated[str, typer.Option(help="Only readers of ko, en or both.")] = "",
    frequency: Annotated[str, typer.Option(help="Only weekly or daily readers.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the request.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send what the plan says without asking.")] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Send copies of an issue, of its corrected papers or of one delivery to exactly those who should get them.

    The plan comes first: who would get what, and why. The same request, made again, sends nothing twice.
    """
    for option, value, allowed in (("language", language, LANGUAGES), ("frequency", frequency, FREQUENCIES)):
        if value:
            one_of(option, value, allowed)
    for name in group or ():
        one_of("group", name, tuple(GROUPS))
    if not (reason or to or dry_run):
        raise typer.BadParameter("say why: it is kept with the request", param_hint="--reason")
    request = Request(
        issue=issue_name(issue) if issue else "",
        delivery=delivery,
        is_correction=correction,
        to=to,
        groups=tuple(cast("list[Group]", group or ())),
        language=language,
        frequency=frequency,
        reason=reason,
    )
    plan = reports.plan_resend(request, moment(now))
    if dry_run or plan.is_empty:
        show(plan.as_json(), as_json, lambda: _print_plan(plan.as_json()))
        return
    if not as_json:
        _print_plan(plan.as_json())
    if not (yes or to):
        _ask(plan)
    with progress_bar() as progress:
        report = reports.resend(request, plan.fingerprint, moment(now), progress)
    report_run(report, as_json)


def reconcile(
    log: Annotated[
        typer.FileText,
        typer.Argument(
            metavar="FILE", errors="replace", help="The mail server's log, or - for standard input."
        ),
    ],
    now: Now = None,
    as_json: Json = False,
) -> None:
    """After a restore: settle as sent what the mail server's log names, so that nobody gets it twice."""
    found = reports.reconcile(log, moment(now))
    show(asdict(found), as_json, lambda: typer.echo(f"found sent: {found.sent}, left to send: {found.left}"))


def _print_plan(plan: dict[str, Any]) -> None:
    typer.echo(plan["what"])
    if plan["asked_before"]:
        typer.echo(f"asked for the same on {plan['asked_before']}")
    typer.echo(f"copies to send: {plan['copies']}")
    if plan["waiting"]:
        typer.echo(f"copies of an earlier run that wait: {plan['waiting']}")
    for group, count in plan["reasons"].items():
        typer.echo(f"  {count} {group}: {GROUPS[group]}")
    for reason, count in plan["left_out"].items():
        typer.echo(f"  left out {count}: {reason}")
    for edition in plan["editions"]:
        typer.echo(f"  {edition['readers']} x {edition['language']}: {edition['subject']}")
    if plan["sample"]:
        typer.echo(f"  among them {', '.join(plan['sample'])}")


def _ask(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to approve the plan: add --yes or --dry-run")
    typer.confirm(f"Send {plan.copies + plan.waiting} mails?", abort=True)
