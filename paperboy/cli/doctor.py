"""`paperboy doctor`: is everything well?"""

import ipaddress
from dataclasses import asdict
from typing import Annotated

import typer

from paperboy.cli.options import Json, show


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
    from mailings.context import clock_from
    from paperboy.doctor.checkup import exit_code, run_checkup
    from paperboy.doctor.configuration import operator_language
    from subscribers.addresses import normal_address

    address = normal_address(send_to) if send_to else ""
    findings = run_checkup(clock_from(None), send_to=address, sends_from=_parse_ip_address(sends_from))

    def print_lines() -> None:
        language = operator_language()
        for finding in findings:
            typer.echo(finding.line(language))

    show([asdict(finding) for finding in findings], as_json, print_lines)
    raise typer.Exit(exit_code(findings))


def _parse_ip_address(value: str | None) -> str:
    try:
        return str(ipaddress.ip_address(value)) if value else ""
    except ValueError:
        raise typer.BadParameter(f"{value!r} is not an IP address", param_hint="--sends-from") from None
