"""Mails: digests sent, every kind of mail previewed."""

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from delivery.progress import Progress
from delivery.report import DigestReport
from emails.edition import portions
from issues import store
from issues.arrivals import whole_issue
from mailings.context import house_of, open_office, rules_of
from mailings.digest_run import preview_digest, run_digest
from monitoring.previews import edition_preview, issue_previews, letter_previews
from paperboy.cli.installation import opened
from paperboy.cli.preview_files import write_all, write_preview


def digest(frequency: str, dry_run: bool, now: datetime | None, progress: Progress) -> DigestReport:
    """Plan and send a digest, or only say what would go out."""
    settings, database = opened()
    local_now = settings.local(now or datetime.now(UTC))
    rules = rules_of(settings)
    if dry_run:
        house = house_of(settings)
        return preview_digest(database.sessions, frequency, house=house, local_now=local_now, rules=rules)
    with open_office(settings, database, now) as office:
        return run_digest(office, frequency, local_now=local_now, rules=rules, progress=progress)


def preview(name: str, language: str, frequency: str, out: Path, now: datetime | None) -> list[Path]:
    """Write the first mail of an issue in a language and frequency, in three forms; the paths."""
    settings, database = opened()
    with database.sessions() as session:
        issue = store.find(session, name)
        papers = whole_issue(issue)
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
    settings, database = opened()
    house, moment = house_of(settings), now or datetime.now(UTC)
    with database.sessions() as session:
        issue = store.find(session, name) if name else store.newest(session)
        papers = whole_issue(issue)
    digests = issue_previews(papers, house, moment, settings.daily_papers)
    return write_all(chain(digests, letter_previews(house, moment)), out)
