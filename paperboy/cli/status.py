"""`paperboy status` and `paperboy show`: how things stand, and what became of mails."""

from typing import Annotated, Any

import typer

from paperboy.cli.options import Json, Now, issue_name, moment, print_table, show
from paperboy.reports import overview as reports


def status(now: Now = None, as_json: Json = False) -> None:
    """What needs attention; issues, subscribers, deliveries and the last runs."""
    value = reports.status(moment(now))

    def lines() -> None:
        for matter in value["attention"]:
            typer.echo(f"! {matter['what']}\n  {matter['remedy']}")
        for name in ("issues", "subscribers", "deliveries"):
            typer.echo(
                f"{name}: " + (", ".join(f"{count} {kind}" for kind, count in value[name].items()) or "none")
            )
        rows = [[run["finished_at"], run["kind"], run["slot"] or "", run["line"]] for run in value["runs"]]
        print_table("Last runs", ["finished", "kind", "slot", "result"], rows)

    show(value, as_json, lines)


def show_anything(
    what: Annotated[str, typer.Argument(metavar="EMAIL|ISSUE", help="A subscriber's address, or an issue.")],
    as_json: Json = False,
) -> None:
    """What a person was sent, what the server said, and what they changed; or what became of an issue's mails."""
    if "@" in what:
        show_reader(what, as_json)
    else:
        _show_issue(issue_name(what), as_json)


def show_reader(email: str, as_json: Json = False) -> None:
    """One subscriber: what they were sent, what came back, what they changed."""
    value = reports.show_reader(email)

    def lines() -> None:
        typer.echo(
            f"{value['email']}: {value['language']}, {value['frequency']}, {value['status']}, cursor {value['cursor']}"
        )
        if value["suppressed"]:
            typer.echo(f"suppressed: {value['suppressed']}")
        print_table(
            "Deliveries", ["id", "when", "slot", "state", "papers", "subject", "reply"], _mails(value)
        )
        returned = [
            [mail[name] for name in ("at", "kind", "status", "action", "said")] for mail in value["returned"]
        ]
        if returned:
            print_table("Came back", ["when", "what", "status", "done", "reason"], returned)
        changes = [
            [
                change["at"],
                change["what"],
                ", ".join(f"{name} {said}" for name, said in change["detail"].items()),
            ]
            for change in value["changes"]
        ]
        print_table("Changes", ["when", "what", "detail"], changes)

    show(value, as_json, lines)


def _mails(value: dict[str, Any]) -> list[list[str]]:
    names = ("id", "planned_at", "slot", "state", "papers", "subject", "reply")
    return [[str(mail[name]) for name in names] for mail in value["deliveries"]]


def _show_issue(name: str, as_json: bool) -> None:
    value = reports.show_mails_of(name)

    def lines() -> None:
        typer.echo(
            f"{value['title']}: {value['state']}, revision {value['revision']}, {value['papers']} papers"
        )
        for reason in value["held"]:
            typer.echo(f"held: {reason}")
        columns = ["slot", "language", "revision", "state", "mails"]
        rows = [[str(row[column]) for column in columns] for row in value["mails"]]
        print_table("Mails", columns, rows)

    show(value, as_json, lines)
