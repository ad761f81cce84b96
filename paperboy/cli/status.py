"""`paperboy status` and `paperboy show`: how things stand, and what became of mails."""

from collections import Counter
from typing import Annotated, Any

import typer

from core.details import Detail
from paperboy.cli.installation import local_time, open_installation
from paperboy.cli.issues import issue_entry
from paperboy.cli.options import Json, Now, issue_name, now_or, parse_now, print_table
from paperboy.cli.options import show as show_result
from paperboy.cli.subscribers import show_subscriber

RUNS_OF_EACH_KIND = 3


def status(now: Now = None, as_json: Json = False) -> None:
    """What became of the last digests, what needs attention, and how many there are of everything."""
    value = _status(now)

    def print_lines() -> None:
        for sentence in value["digests"]:
            typer.echo(sentence)
        for item in value["attention"]:
            typer.echo(f"! {item['what']}\n  {item['remedy']}")
        for name in ("issues", "subscribers", "deliveries"):
            counts = ", ".join(f"{count} {kind}" for kind, count in value[name].items())
            typer.echo(f"{name}: {counts or 'none'}")
        rows = [
            [local_time(run["finished_at"]), run["kind"], run["slot"] or "", run["line"]]
            for run in value["runs"]
        ]
        print_table("Last runs", ["finished", "kind", "slot", "result"], rows)

    show_result(value, as_json, print_lines)


def _status(now: str | None) -> dict[str, Any]:
    from core.languages import TextLanguage
    from core.run_log import counts_of, latest_runs
    from delivery.counts import count_by_state
    from issues.queries import all_issues
    from mailings.context import warm_up_from
    from monitoring.attention import attention_items
    from monitoring.overview import overview_sentences, read_overview
    from subscribers.audience import count_by_kind

    moment = now_or(parse_now(now))
    settings, database = open_installation()
    with database.sessions() as session:
        overview = read_overview(session, settings.local(moment), warm_up_from(settings))
        return {
            "digests": overview_sentences(overview, TextLanguage.EN),
            "attention": [
                {"what": item.line, "remedy": item.remedy}
                for item in attention_items(session, moment, settings.bounce_alarm)
            ],
            "issues": dict(Counter(issue_entry(issue)["state"] for issue in all_issues(session))),
            "subscribers": {_kind(kind): count for kind, count in count_by_kind(session).items()},
            "deliveries": dict(count_by_state(session)),
            "runs": [
                {
                    "finished_at": run.finished_at.isoformat(timespec="seconds"),
                    "kind": run.kind,
                    "slot": run.slot,
                    "line": ", ".join(f"{count} {name}" for name, count in counts_of(run.result).items()),
                    "result": run.result,
                }
                for run in latest_runs(session, RUNS_OF_EACH_KIND)
            ],
        }


def _kind(kind: tuple[str, ...]) -> str:
    """What subscribers have in common: status, language and frequency, and the detail unless they get full mails."""
    return " ".join(kind if kind[-1] != Detail.FULL else kind[:-1])


def show(
    what: Annotated[str, typer.Argument(metavar="EMAIL|ISSUE", help="A subscriber's address, or an issue.")],
    as_json: Json = False,
) -> None:
    """What a person was sent, what the server said, and what they changed; or what became of an issue's mails."""
    if "@" in what:
        show_subscriber(what, as_json)
    else:
        _show_issue(issue_name(what), as_json)


def _show_issue(name: str, as_json: bool) -> None:
    from issues.queries import find, hold_reasons
    from monitoring.history import mails_of_issue

    _, database = open_installation()
    with database.sessions() as session:
        issue = find(session, name)
        value = issue_entry(issue) | {
            "revision": issue.revision,
            "mails": mails_of_issue(session, issue),
            "held": hold_reasons(issue),
            "pruned": any(paper.pruned_at for paper in issue.papers),
        }

    def print_lines() -> None:
        typer.echo(
            f"{value['title']}: {value['state']}, revision {value['revision']}, {value['papers']} papers"
        )
        for reason in value["held"]:
            typer.echo(f"held: {reason}")
        if value["pruned"]:
            typer.echo("its first mails are older than what is kept, and not in this table")
        columns = ["slot", "language", "revision", "state", "mails"]
        rows = [[str(row[column]) for column in columns] for row in value["mails"]]
        print_table("Mails", columns, rows)

    show_result(value, as_json, print_lines)
