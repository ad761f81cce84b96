"""What the commands do: open what they need, call one function below, return plain values."""

import getpass
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from core import database as core_database
from core import logs
from core.database import Database, open_database, open_engine, reading
from core.runs import latest
from core.settings import Settings, load, secret_key
from emails import copies, correspondence, resends, returns, tally
from emails import reconcile as reconciling
from emails.digests import preview_digest, run_digest
from emails.edition import portions
from emails.engine.progress import Progress
from emails.models import Delivery
from emails.needs import RequestError
from emails.office import clock_from, house_of, open_office, rules_of
from emails.oversight import attention, history
from emails.oversight.previews import edition_preview, issue_previews, letter_previews
from emails.report import DigestReport
from emails.returned.inbox import Mail, maildir_url, read_bounded
from issues import ingest as ingesting
from issues import store
from issues.ingest import IngestReport
from issues.models import Issue
from issues.text import Block
from paperboy.preview_files import write_all, write_preview
from subscribers import accounts, transfer
from subscribers.audience import count_by_kind
from subscribers.models import Subscriber


def zone() -> ZoneInfo:
    """The time zone for times given without one."""
    return load().zone


def _open() -> tuple[Settings, Database]:
    settings = load()
    logs.set_up(settings.log_format)
    return settings, open_database(settings.database_url)


def migrate() -> str:
    """Bring the database to the newest version and name it."""
    return core_database.migrate(open_engine(load().database_url))


def ingest(feed: str | None, topics: list[str], now: datetime | None) -> IngestReport:
    """Read a feed, or the topics named, or both when both are given."""
    settings, database = _open()
    return ingesting.ingest(
        database.sessions,
        feed_url=feed or (None if topics else settings.feed_url),
        topic_urls=topics,
        allowed_hosts=settings.allowed_hosts,
        now=now or datetime.now(UTC),
    )


def list_issues() -> list[dict[str, Any]]:
    """All issues in brief."""
    _, database = _open()
    with database.sessions() as session:
        return [_brief(issue) for issue in store.every(session)]


def _brief(issue: Issue) -> dict[str, Any]:
    state = "held" if issue.revision == 0 else "in force, an edit held" if issue.held_revision else "in force"
    return {
        "topic_id": issue.topic_id,
        "week_start": issue.week_start.isoformat(),
        "week_end": issue.week_end.isoformat(),
        "title": issue.title,
        "state": state,
        "papers": sum(paper.withdrawn_at is None for paper in issue.papers),
    }


def show_issue(name: str) -> dict[str, Any]:
    """One issue in full."""
    _, database = _open()
    with database.sessions() as session:
        issue = store.find(session, name)
        content = store.shown_content(issue)
        papers = [
            {
                "title_ko": paper.title_ko,
                "title_en": paper.title_en,
                "intro_ko": _texts(paper.intro_ko),
                "intro_en": _texts(paper.intro_en),
                "abstract_ko": _texts(paper.abstract_ko),
                "abstract_en": _texts(paper.abstract_en),
                "url": paper.url,
                "links": [link.url for link in paper.links],
                "notes": [block.text for block in paper.notes],
            }
            for paper in content.papers
        ]
        return _brief(issue) | {
            "url": issue.url,
            "revision": issue.revision,
            "held": store.problems_of(issue),
            "overview": [block.text for block in content.overview],
            "summary": [block.text for block in content.summary],
            "papers": papers,
        }


def _texts(blocks: tuple[Block, ...]) -> list[dict[str, str]]:
    return [{"type": block.type, "text": block.text} for block in blocks]


def release_issue(name: str, now: datetime | None) -> str:
    """Put a held issue in force and return its title."""
    _, database = _open()
    with database.sessions.begin() as session:
        issue = store.find(session, name)
        store.release(session, issue, now or datetime.now(UTC))
        return issue.title


def add_subscriber(
    email: str, language: str, frequency: str, name: str, confirmed: bool, now: datetime | None
) -> dict[str, Any]:
    """Sign an address up, and confirm it if they agreed already."""
    settings, database = _open()
    moment = now or datetime.now(UTC)
    with database.sessions.begin() as session:
        if not accounts.find(session, email) and accounts.is_forgotten(session, email, secret_key(settings)):
            raise accounts.AccountError(
                f"{email} asked to be forgotten: only its owner can sign up again, at {settings.base_url}"
            )
        subscriber = accounts.sign_up(
            session, email, language=language, frequency=frequency, name=name, now=moment
        )
        if confirmed:
            accounts.confirm(session, subscriber, moment)
        elif subscriber.status == "pending":
            correspondence.write_once(session, subscriber, "confirmation", house_of(settings), moment)
        return _subscriber(subscriber)


def import_subscribers(
    path: Path, now: datetime | None, on_refusal: Callable[[transfer.Refusal], None]
) -> transfer.ImportReport:
    """Store the readers of a CSV file; each row that is not taken is told at once."""
    settings, database = _open()
    return transfer.import_readers(
        database.sessions,
        path,
        key=secret_key(settings),
        now=now or datetime.now(UTC),
        zone=settings.zone,
        on_refusal=on_refusal,
    )


def export_subscribers(everyone: bool) -> Iterator[str]:
    """The lines of a CSV file of readers."""
    _, database = _open()
    return transfer.export_lines(database.sessions, everyone=everyone)


def forget_subscriber(email: str, now: datetime | None) -> dict[str, Any]:
    """Erase a subscriber; what was erased, in numbers."""
    settings, database = _open()
    with database.sessions.begin() as session:
        subscriber = accounts.find(session, email)
        if subscriber is None:
            raise accounts.AccountError(f"{email} is not subscribed")
        mails = select(func.count()).where(Delivery.subscriber_id == subscriber.id)
        erased = {
            "email": subscriber.email,
            "events": len(subscriber.events),
            "mails": session.scalar(mails) or 0,
        }
        correspondence.forget(session, subscriber, house_of(settings), now or datetime.now(UTC))
        return erased


def _subscriber(subscriber: Subscriber) -> dict[str, Any]:
    names = ("id", "email", "name", "language", "frequency", "status", "cursor")
    return {name: getattr(subscriber, name) for name in names}


def list_subscribers() -> list[dict[str, Any]]:
    """All subscribers in brief."""
    _, database = _open()
    with database.sessions() as session:
        rows = select(Subscriber).where(Subscriber.status != "forgotten").order_by(Subscriber.id)
        return [_subscriber(row) for row in session.scalars(rows)]


def show_reader(email: str) -> dict[str, Any]:
    """One subscriber with all that the ledger tells of them."""
    _, database = _open()
    with database.sessions() as session:
        subscriber = accounts.find(session, email)
        if subscriber is None:
            raise accounts.AccountError(f"{email} is not subscribed")
        return _subscriber(subscriber) | history.of_reader(session, subscriber)


def show_mails_of(name: str) -> dict[str, Any]:
    """What became of the mails with an issue's papers."""
    _, database = _open()
    with database.sessions() as session:
        issue = store.find(session, name)
        mails = {"revision": issue.revision, "mails": history.of_issue(session, issue)}
        return _brief(issue) | mails | {"held": store.problems_of(issue)}


def digest(frequency: str, dry_run: bool, now: datetime | None, progress: Progress) -> DigestReport:
    """Plan and send a digest, or only say what would go out."""
    settings, database = _open()
    local_now = settings.local(now or datetime.now(UTC))
    rules = rules_of(settings)
    if dry_run:
        house = house_of(settings)
        return preview_digest(database.sessions, frequency, house=house, local_now=local_now, rules=rules)
    with open_office(settings, database, now) as office:
        return run_digest(office, frequency, local_now=local_now, rules=rules, progress=progress)


def plan_resend(request: resends.Request, now: datetime | None) -> resends.Plan:
    """Who would get what by an operator's request."""
    settings, database = _open()
    with reading(database) as session:
        return resends.plan(session, request, house_of(settings), now or datetime.now(UTC))


def resend(request: resends.Request, shown: str, now: datetime | None, progress: Progress) -> DigestReport:
    """Send the copies of a request, if its plan is still the one that was `shown` (its fingerprint)."""
    plan = plan_resend(request, now)
    if plan.fingerprint != shown:
        raise RequestError("the plan has changed meanwhile, and nothing was sent: look at it again")
    settings, database = _open()
    with open_office(settings, database, now) as office:
        return copies.carry_out(
            office,
            plan,
            asked_by=f"{getpass.getuser()} in a terminal",
            rules=rules_of(settings),
            now=now or datetime.now(UTC),
            progress=progress,
        )


def reconcile(log: Iterable[str], now: datetime | None) -> reconciling.Reconciled:
    """Settle what the mail server's log says was sent, and a restored backup does not know."""
    settings, database = _open()
    domain = house_of(settings).domain
    return reconciling.reconcile(database.sessions, log, domain=domain, now=now or datetime.now(UTC))


def preview(name: str, language: str, frequency: str, out: Path, now: datetime | None) -> list[Path]:
    """Write the first mail of an issue in a language and frequency, in three forms; the paths."""
    settings, database = _open()
    with database.sessions() as session:
        issue = store.find(session, name)
        papers = store.whole_issue(issue)
    edition = portions(
        papers,
        slot=f"preview:{frequency}",
        language=language,
        frequency=frequency,
        daily_papers=settings.daily_papers,
    )[0]
    stem = f"{issue.week_start}-{language}-{frequency}"
    return write_preview(edition_preview(edition, stem, house_of(settings), now or datetime.now(UTC)), out)


def preview_all(name: str | None, out: Path, now: datetime | None) -> Path:
    """Write every kind of mail, with an issue's papers or those of the newest; the index page's path."""
    settings, database = _open()
    house, moment = house_of(settings), now or datetime.now(UTC)
    with database.sessions() as session:
        issue = store.find(session, name) if name else store.newest(session)
        papers = store.whole_issue(issue)
    digests = issue_previews(papers, house, moment, settings.daily_papers)
    return write_all(chain(digests, letter_previews(house, moment)), out)


def read_inbox(maildir: Path | None, now: datetime | None) -> dict[str, int] | None:
    """Take in what is new in a Maildir or the inbox of the settings; by what was done, or None without one."""
    settings, database = _open()
    url = maildir_url(maildir) if maildir else settings.inbox_url and settings.inbox_url.get_secret_value()
    if not url:
        return None
    return dict(returns.read_inbox(url, database.sessions, house_of(settings), clock_from(now)))


def take_in_file(path: Path, now: datetime | None) -> dict[str, int]:
    """Take in the mail in a file."""
    return take_in_mail(read_bounded(path), now)


def take_in_mail(raw: bytes, now: datetime | None) -> dict[str, int]:
    """Take in one mail; by what was done."""
    settings, database = _open()
    return dict(returns.take_in_all(database.sessions, [Mail(raw)], house_of(settings), clock_from(now)))


def status(now: datetime | None) -> dict[str, Any]:
    """What needs attention, and the state of everything in numbers."""
    settings, database = _open()
    moment = now or datetime.now(UTC)
    with database.sessions() as session:
        return {
            "attention": [
                asdict(matter) for matter in attention.matters(session, moment, settings.bounce_alarm)
            ],
            "issues": dict(Counter(_brief(issue)["state"] for issue in store.every(session))),
            "subscribers": {" ".join(kind): count for kind, count in count_by_kind(session).items()},
            "deliveries": dict(tally.states(session)),
            "runs": [
                {
                    "finished_at": run.finished_at.isoformat(timespec="seconds"),
                    "kind": run.kind,
                    "slot": run.slot,
                    "line": _brief_result(run.result),
                    "result": run.result,
                }
                for run in latest(session, 3)
            ],
        }


def _brief_result(result: dict[str, Any]) -> str:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return ", ".join(f"{value} {name}" for name, value in counts.items() if isinstance(value, int) and value)
