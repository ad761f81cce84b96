"""`paperboy ingest` and `paperboy issues`: what was published."""

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.languages import TextLanguage
from paperboy.cli.installation import open_installation, record
from paperboy.cli.options import IssueName, Json, Now, issue_name, now_or, parse_now, print_table, show

if TYPE_CHECKING:
    from issues.models import Issue
    from issues.parse.content import PaperContent
    from issues.parse.text import Block
    from mailings.ingest_report import IngestReport

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
    from mailings import intake
    from mailings.context import intake_rules_from

    moment = now_or(parse_now(now))
    settings, database = open_installation()
    report = intake.ingest(
        database.sessions,
        feed_url=feed or (None if topic else settings.feed_url),
        topic_urls=topic or [],
        rules=intake_rules_from(settings),
        now=moment,
    )
    _show_ingest(report, as_json)


def _show_ingest(report: "IngestReport", as_json: bool) -> None:
    def print_lines() -> None:
        typer.echo(report.line())
        for entry in report.held:
            typer.echo(f"held: {entry['issue']}: {entry['reason']}")
        for entry in report.archived:
            typer.echo(f"for the archive only: {entry['issue']}: {entry['title']}")
        for entry in report.deleted:
            typer.echo(f"deleted on the forum: {entry['issue']}: {entry['title']}")
        for entry in report.unread:
            typer.echo(f"topic {entry['topic_id']} was not read: {entry['reason']}")

    show(asdict(report), as_json, print_lines)


@app.command("list")
def list_issues(as_json: Json = False) -> None:
    """All issues, the newest first."""
    from issues.queries import all_issues

    _, database = open_installation()
    with database.sessions() as session:
        entries = [issue_entry(issue) for issue in all_issues(session)]
    rows = [[e["week_start"], str(e["topic_id"]), e["state"], str(e["papers"]), e["title"]] for e in entries]
    columns = ["week", "topic", "state", "papers", "title"]
    show(entries, as_json, lambda: print_table("Issues", columns, rows))


@app.command("show")
def show_issue(issue: IssueName, as_json: Json = False) -> None:
    """One issue with its papers."""
    value = _issue_in_full(issue_name(issue))

    def print_lines() -> None:
        typer.echo(f"{value['title']}\n{value['url']}  revision {value['revision']}")
        for reason in value["held"]:
            typer.echo(f"held: {reason}")
        for number, paper in enumerate(value["papers"], 1):
            typer.echo(f"{number:>3}. {paper['title_ko']} / {paper['title_en']}\n     {paper['url']}")
            for language in TextLanguage:
                if gist := paper[f"gist_{language}"]:
                    typer.echo(f"     {language}: {gist}")

    show(value, as_json, print_lines)


@app.command("release")
def release_issue(issue: IssueName, now: Now = None) -> None:
    """Put a held issue in force as it is, or mail one that was for the archive only."""
    from core.audit_log import Action
    from issues.queries import find
    from mailings.held_issues import release_issue

    name, moment = issue_name(issue), now_or(parse_now(now))
    _, database = open_installation()
    with database.sessions.begin() as session:
        found = find(session, name)
        release_issue(session, found, moment)
        record(session, Action.RELEASE, f"issue {found.topic_id}", moment, revision=found.revision)
        typer.echo(f"Released: {found.title}")


@app.command("dismiss")
def dismiss_issue(issue: IssueName) -> None:
    """Leave a held post alone until it is edited: it is no weekly post, or must not go out."""
    from core.audit_log import Action
    from issues.queries import find
    from issues.store import dismiss

    name = issue_name(issue)
    _, database = open_installation()
    with database.sessions.begin() as session:
        found = find(session, name)
        dismiss(found)
        record(session, Action.DISMISS, f"issue {found.topic_id}", now_or(None))
        typer.echo(f"Dismissed: {found.title}")


@app.command("call-off")
def call_issue_off(issue: IssueName, now: Now = None) -> None:
    """Take back the mails of an issue that have not left, and send it to nobody else. It stays in the archive."""
    from core.audit_log import Action
    from issues.queries import find
    from mailings.call_off import call_off

    name, moment = issue_name(issue), now_or(parse_now(now))
    _, database = open_installation()
    taken = call_off(database.sessions, name, moment)
    with database.sessions.begin() as session:
        found = find(session, name)
        record(session, Action.CALL_OFF, f"issue {found.topic_id}", moment, mails=taken)
    typer.echo(f"Called off: {found.title}. Mails taken back: {taken}.")
    typer.echo(
        f"`paperboy issues release {found.topic_id}` mails it after all, to those who have not had it."
    )


@app.command("accept")
def accept_issue(
    issue: IssueName,
    week: Annotated[str, typer.Option(metavar="DAY", help="The first day of its week, like 2026-06-15.")],
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Take a held issue whose title does not say its week."""
    from core.audit_log import Action
    from issues.queries import find
    from mailings.context import intake_rules_from
    from mailings.held_issues import accept_week

    try:
        first_day = date.fromisoformat(week)
    except ValueError:
        raise typer.BadParameter(f"{week!r} is not a day like 2026-06-15", param_hint="--week") from None
    name, moment = issue_name(issue), now_or(parse_now(now))
    settings, database = open_installation()
    report = accept_week(database.sessions, name, first_day, rules=intake_rules_from(settings), now=moment)
    with database.sessions.begin() as session:
        record(session, Action.ACCEPT_WEEK, f"issue {find(session, name).topic_id}", moment, week=first_day)
    _show_ingest(report, as_json)


def issue_entry(issue: "Issue") -> dict[str, Any]:
    """An issue in brief."""
    return {
        "topic_id": issue.topic_id,
        "week_start": issue.week_start.isoformat(),
        "week_end": issue.week_end.isoformat(),
        "title": issue.title,
        "state": _state_of(issue),
        "papers": sum(paper.withdrawn_at is None for paper in issue.papers),
    }


def _state_of(issue: "Issue") -> str:
    if issue.revision == 0:
        return "held" if issue.held_revision else "deleted" if issue.deleted_at else "dismissed"
    state = "deleted" if issue.deleted_at else "in the archive" if issue.archived else "in force"
    return f"{state}, an edit held" if issue.held_revision else state


def _issue_in_full(name: str) -> dict[str, Any]:
    from issues.queries import find, hold_reasons, shown_content

    _, database = open_installation()
    with database.sessions() as session:
        issue = find(session, name)
        content = shown_content(issue)
        return issue_entry(issue) | {
            "url": issue.url,
            "revision": issue.revision,
            "held": hold_reasons(issue),
            "overview": [block.text for block in content.overview],
            "summary": [block.text for block in content.summary],
            "pictures": [asdict(picture) for picture in content.pictures],
            "papers": [_paper_entry(paper) for paper in content.papers],
            "closing": [block.text for block in content.closing],
        }


def _paper_entry(paper: "PaperContent") -> dict[str, Any]:
    return {
        **{f"title_{language}": paper.texts_in(language).title for language in TextLanguage},
        **{f"gist_{language}": paper.texts_in(language).gist for language in TextLanguage},
        **{f"intro_{language}": _block_entries(paper.texts_in(language).intro) for language in TextLanguage},
        **{
            f"abstract_{language}": _block_entries(paper.texts_in(language).abstract)
            for language in TextLanguage
        },
        "url": paper.url,
        "links": [link.url for link in paper.links],
        "notes": [block.text for block in paper.notes],
        "pictures": [asdict(picture) for picture in paper.pictures],
        "sections": [
            {"heading": section.heading, "after": section.after}
            | {str(language): _block_entries(section.blocks_in(language)) for language in TextLanguage}
            for section in paper.sections
        ],
    }


def _block_entries(blocks: "tuple[Block, ...]") -> list[dict[str, str]]:
    return [{"type": block.type, "text": block.text} for block in blocks]
