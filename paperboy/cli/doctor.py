"""`paperboy doctor`: is all well?"""

import ipaddress
from dataclasses import asdict
from typing import Annotated

import typer

from mailings.context import clock_from
from paperboy.cli.options import Json, show
from subscribers.accounts import normal_address


def doctor(
    send_to: Annotated[
        str | None, typer.Option("--send-to", metavar="EMAIL", help="Also send one test mail there.")
    ] = None,
    sends_from: Annotated[
        str | None,
        typer.Option(
            "--sends-from",
            metavar="ADDRESS",
            help="The IP address that mails come from, if another machine's.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at everything Paperboy stands on; a line for each thing, with what to do. Ends with 1 if one failed."""
    from paperboy.doctor.checkup import examine, exit_code  # noqa: PLC0415  other commands need no DNS

    address = normal_address(send_to) if send_to else ""
    findings = examine(clock_from(None), send_to=address, sends_from=_ip_address(sends_from))

    def lines() -> None:
        for finding in findings:
            typer.echo(finding.line())

    show([asdict(finding) for finding in findings], as_json, lines)
    raise typer.Exit(exit_code(findings))


def _ip_address(value: str | None) -> str:
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no IP address", param_hint="--sends-from") from None
