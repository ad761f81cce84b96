"""`paperboy status`: how things stand."""

import typer

from paperboy import reports
from paperboy.commands.options import Json, print_table, show


def status(as_json: Json = False) -> None:
    """Issues, subscribers, deliveries and the last runs."""
    value = reports.status()

    def lines() -> None:
        for name in ("issues", "subscribers", "deliveries"):
            typer.echo(
                f"{name}: " + (", ".join(f"{count} {kind}" for kind, count in value[name].items()) or "none")
            )
        rows = [[run["finished_at"], run["kind"], run["slot"] or "", run["line"]] for run in value["runs"]]
        print_table("Last runs", ["finished", "kind", "slot", "result"], rows)

    show(value, as_json, lines)
