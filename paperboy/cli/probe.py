"""`paperboy probe`: what becomes of our mails on their way?"""

from dataclasses import asdict

import typer

from paperboy.cli.options import Json, show


def probe(as_json: Json = False) -> None:
    """Send a mail to our own inbox through the mail server, and say what became of it. Ends with 1 if something broke."""
    from bounces.probe import probe_rules, run_probe
    from core.logs import configure_logging
    from core.settings import load_settings
    from mailings.context import clock_from, identity_from, open_transport

    settings = load_settings()
    configure_logging(settings.log_format)
    identity = identity_from(settings)
    rules = probe_rules(settings, identity)
    with open_transport(settings) as transport:
        findings = run_probe(transport, identity, rules, clock_from(None))

    def print_lines() -> None:
        for finding in findings:
            typer.echo(finding.line(settings.operator_language))

    show([asdict(finding) for finding in findings], as_json, print_lines)
    raise typer.Exit(int(any(finding.state == "failed" for finding in findings)))
