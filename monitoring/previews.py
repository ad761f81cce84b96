"""Every kind of mail as a reader would get it, for an operator to look at before it goes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from emails.edition import Edition, Purpose, compose, copy_of, portions
from emails.letters import READER_LETTERS, Letter, Notice, operator_notice, reader_letter
from emails.message import Content, House, Message, Reader, build, filled, widest
from emails.rendering.render import render
from issues.arrivals import Arrival
from subscribers.models import FREQUENCIES, LANGUAGES

NOTICE = Notice(
    what="the issue of 2025-07-28 is held",
    cause="The post of the week from 2025-07-28 was not taken over: paper 3 has no link.",
    remedy="Mend the post on the forum and wait for the next reading, or run: paperboy issues release 2025-07-28",
    facts={"issue": "2025-07-28", "seen": "2025-08-04 07:05 (Asia/Seoul)", "readers waiting": "1,204"},
)


@dataclass(frozen=True)
class Preview:
    """A mail for a reader who does not exist; `fill` is its share of the size limit, of a digest only."""

    name: str
    subject: str
    html: str
    text: str
    message: Message
    fill: float | None


def issue_previews(
    papers: Sequence[Arrival], house: House, now: datetime, daily_papers: int
) -> Iterator[Preview]:
    """All mails that an issue's papers come in: weekly, each day's, welcomes, what was added late, and what
    an operator sends again.

    Raises:
        EmptyIssueError: the issue has no paper in force.
        RenderError: a mail cannot be made to fit.
    """
    purposes: tuple[Purpose, ...] = ("digest", "welcome")
    for language, frequency, purpose in product(LANGUAGES, FREQUENCIES, purposes):
        kind = f"welcome-{frequency}" if purpose == "welcome" else frequency
        editions = portions(
            papers,
            slot=f"preview:{kind}",
            language=language,
            frequency=frequency,
            daily_papers=daily_papers,
            purpose=purpose,
        )
        for day, edition in enumerate(editions[:1] if purpose == "welcome" else editions, 1):
            name = f"{kind}-{language}"
            yield edition_preview(edition, f"{name}-day-{day}" if len(editions) > 1 else name, house, now)
    late = [paper for paper in papers if paper.late]
    if late:
        for language in LANGUAGES:
            edition = compose(
                late,
                max(paper.number for paper in papers),
                slot="preview:late",
                language=language,
                frequency="weekly",
            )
            yield edition_preview(edition, f"late-{language}", house, now)
    again: tuple[Purpose, ...] = ("copy", "correction")
    for language, purpose in product(LANGUAGES, again):
        sent = [paper for paper in papers if paper.corrected] if purpose == "correction" else papers
        slot = f"preview:{purpose}"
        edition = copy_of(sent or papers[:1], slot=slot, language=language, purpose=purpose)
        yield edition_preview(edition, f"{purpose}-{language}", house, now)


def edition_preview(edition: Edition, name: str, house: House, now: datetime) -> Preview:
    """The mail of one edition.

    Raises:
        RenderError: it cannot be made to fit.
    """
    rendered = render(edition, archive=house.archive, widest=widest(house))
    content = Content(
        edition.slot,
        edition.language,
        edition.frequency,
        rendered.subject,
        rendered.html,
        rendered.text,
        rendered.nonce,
    )
    return _preview(name, content, house, now, rendered.fill)


def letter_previews(house: House, now: datetime) -> Iterator[Preview]:
    """All mails that are no digest, in every language."""
    for language in LANGUAGES:
        for kind in READER_LETTERS:
            yield _letter_preview(reader_letter(kind, language, "weekly"), house, now)
        yield _letter_preview(operator_notice(NOTICE, language), house, now)


def _letter_preview(letter: Letter, house: House, now: datetime) -> Preview:
    content = Content(
        letter.kind, letter.language, "", letter.subject, letter.html, letter.text, letter.nonce
    )
    return _preview(f"{letter.kind.replace('_', '-')}-{letter.language}", content, house, now, None)


def _preview(name: str, content: Content, house: House, now: datetime, fill: float | None) -> Preview:
    reader = Reader("reader@example.org", "", "0" * 16, content.language)
    html, text = filled(content, reader, house, now)
    message = build(content, reader, house, message_id=f"preview-{name}@{house.domain}", now=now)
    return Preview(name, content.subject, html, text, message, fill)
