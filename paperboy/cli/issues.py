"""`paperboy issues` and `paperboy ingest`: what was published."""

from dataclasses import asdict
from typing import Annotated

import typer

from paperboy.cli.options import IssueName, Json, Now, issue_name, moment, print_table, show
from paperboy.reports import issues as reports

app = typer.Typer(help="What was published.", no_args_is_help=True)


def ingest(
    feed: Annotated[
        str | None, typer.Option(metavar="URL", help="A feed other than PAPERBOY_FEED_URL.")
    ] = None,
    topic: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A topic's address, for posts that left the feed.")
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Read the feed (or only the topics named) and store what is new."""
    report = reports.ingest(feed, topic or [], moment(now))

    def lines() -> None:
        typer.echo(report.line())
        for entry in report.held:
            typer.echo(f"held: {entry['issue']}: {'; '.join(entry['reasons'])}")

    show(asdict(report), as_json, lines)


@app.command("list")
def list_issues(as_json: Json = False) -> None:
    """All issues, the newest first."""
    entries = reports.list_issues()
    rows = [[e["week_start"], str(e["topic_id"]), e["state"], str(e["papers"]), e["title"]] for e in entries]
    show(entries, as_json, lambda: print_table("Issues", ["week", "topic", "state", "papers", "title"], rows))


@app.command("show")
def show_issue(issue: IssueName, as_json: Json = False) -> None:
    """One issue with its papers."""
    value = reports.show_issue(issue_name(issue))

    def lines() -> None:
        typer.echo(f"{value['title']}\n{value['url']}  revision {value['revision']}")
        for reason in value["held"]:
            typer.echo(f"held: {reason}")
        for number, paper in enumerate(value["papers"], 1):
            typer.echo(f"{number:>3}. {paper['title_ko']} / {paper['title_en']}\n     {paper['url']}")

    show(value, as_json, lines)


@app.command("release")
def release_issue(issue: IssueName, now: Now = None) -> None:
    """Put a held issue in force as it is."""
    typer.echo(f"Released: {reports.release_issue(issue_name(issue), moment(now))}")
