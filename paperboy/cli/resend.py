"""`paperboy resend` sends mails again, and `paperboy reconcile` avoids repeating mails after a restore."""

import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import RunFailedError
from core.frequencies import Frequency
from core.languages import Language
from mailings.resend.request import ResendError, ResendGroup, ResendRequest
from paperboy.cli.digests import print_report, progress_bar
from paperboy.cli.installation import local_time, open_installation, operator_name
from paperboy.cli.options import Json, Now, issue_name, member, names_of, now_or, parse_now, show

if TYPE_CHECKING:
    from delivery.report import DigestReport
    from mailings.resend.plan import ResendPlan


def resend(  # long, because each option is a parameter with its help text
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
        list[str] | None, typer.Option(help=f"{', '.join(ResendGroup)}; can be given several times.")
    ] = None,
    language: Annotated[str, typer.Option(help=f"Only readers of {names_of(Language)}.")] = "",
    frequency: Annotated[str, typer.Option(help=f"Only {names_of(Frequency)} readers.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept with the request.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Send what the plan says without asking.")] = False,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Send copies of an issue, of its corrected papers or of one delivery to exactly those who should get them.

    The plan comes first: who would get what, and why. The same request, made again, sends nothing twice.
    """
    request = ResendRequest(
        issue=issue_name(issue) if issue else "",
        delivery=delivery,
        is_correction=correction,
        to=to,
        groups=tuple(member("group", name, ResendGroup) for name in group or ()),
        language=member("language", language, Language) if language else None,
        frequency=member("frequency", frequency, Frequency) if frequency else None,
        reason=reason,
    )
    if not (reason or to or dry_run):
        raise typer.BadParameter("say why: it is kept with the request", param_hint="--reason")
    moment = parse_now(now)
    plan = _plan(request, now_or(moment))
    if dry_run or plan.is_empty:
        show(plan.as_json(), as_json, lambda: _print_plan(plan.as_json()))
        return
    if not as_json:
        _print_plan(plan.as_json())
    if not (yes or to):
        _ask_for_approval(plan)
    report = _execute(request, plan.fingerprint, moment)
    print_report(report, as_json)
    if report.failed:
        said = "`paperboy show EMAIL` and the operator's page of mails show what the server said"
        raise RunFailedError(f"copies that failed: {report.failed}; {said}")


def _plan(request: ResendRequest, now: datetime) -> "ResendPlan":
    from core.database import read_only
    from mailings.context import identity_from
    from mailings.resend.plan import plan_resend

    settings, database = open_installation()
    with read_only(database) as session:
        return plan_resend(session, request, identity_from(settings), now)


def _execute(request: ResendRequest, shown: str, now: datetime | None) -> "DigestReport":
    """Send the copies if the plan still has the fingerprint of the one that was `shown`."""
    from mailings.context import open_sending_context, rules_from
    from mailings.resend.execute import execute

    settings, database = open_installation()
    plan = _plan(request, now_or(now))
    if plan.fingerprint != shown:
        raise ResendError("the plan has changed meanwhile, and nothing was sent: look at it again")
    with progress_bar() as progress, open_sending_context(settings, database, now) as context:
        return execute(
            context,
            plan,
            asked_by=operator_name(),
            rules=rules_from(settings),
            now=now_or(now),
            progress=progress,
        )


def _print_plan(plan: dict[str, Any]) -> None:
    typer.echo(plan["what"])
    if plan["asked_before"]:
        typer.echo(f"asked for the same at {local_time(plan['asked_before'])}")
    typer.echo(f"copies to send: {plan['copies']}")
    if plan["waiting"]:
        typer.echo(f"copies of an earlier run that wait: {plan['waiting']}")
    for group, count in plan["reasons"].items():
        typer.echo(f"  {count} {group}: {ResendGroup(group).meaning}")
    for reason, count in plan["left_out"].items():
        typer.echo(f"  left out {count}: {reason}")
    for edition in plan["editions"]:
        kind = f"{edition['language']}, {edition['detail']}"
        typer.echo(f"  {edition['readers']} x {kind}: {edition['subject']}")
    if plan["sample"]:
        typer.echo(f"  among them {', '.join(plan['sample'])}")


def _ask_for_approval(plan: "ResendPlan") -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to approve the plan: add --yes or --dry-run")
    typer.confirm(f"Send {plan.copies + plan.waiting} mails?", abort=True)


def reconcile(
    log: Annotated[
        typer.FileText,
        typer.Argument(
            metavar="FILE", errors="replace", help="The mail server's log, or - for standard input."
        ),
    ],
    complete_since: Annotated[
        str | None,
        typer.Option(
            "--complete-since",
            metavar="ISO",
            help="The log names every mail since this time: uncertain mails planned later that it does not name are sent again.",
        ),
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Settle as sent what the mail server's log names: after a restore, or when mails are uncertain.

    A log that names none of our mails is an error, because it may be the wrong one.
    """
    from mailings import restore
    from mailings.context import identity_from

    moment = now_or(parse_now(now))
    settings, database = open_installation()
    domain = identity_from(settings).domain
    since = parse_now(complete_since, "--complete-since")
    found = restore.reconcile(database.sessions, log, domain=domain, now=moment, complete_since=since)
    again = f", sent again: {found.again}" if since else ""
    text = f"found sent: {found.sent}{again}, left to send: {found.left}"
    show(asdict(found), as_json, lambda: typer.echo(text))
    if not found.named:
        raise RunFailedError(
            f"no line of the log names a mail of ours (lines: {found.lines}, looked for: …@{domain}). Is it the log of "
            "the server that took the mails, since the backup? Before that is clear, start nothing that sends"
        )
