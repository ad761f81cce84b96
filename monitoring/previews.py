"""Previews: every kind of mail as a subscriber would get it, for an operator to look at before it goes out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from core.slots import preview_slot
from emails.choose import edition_to_resend, editions_of_issue
from emails.compose import compose
from emails.content import Content, MailSpec
from emails.edition import Edition
from emails.identity import MailIdentity
from emails.kinds import SENT_AGAIN, SUBSCRIBER_LETTERS, MailKind
from emails.letters import OperatorNotice, operator_letter, subscriber_letter
from emails.message import (
    PREVIEW_RECIPIENT,
    Message,
    build_message,
    longest_placeholders,
    personalized,
)
from emails.rendering.render import render
from issues.arrivals import Arrival
from monitoring.notices import translated

SAMPLE_NOTICE = OperatorNotice(
    what="the issue of 2025-07-28 is held",
    cause="The post was not taken over: paper 3 (HRM) has no link.",
    remedy="Correct the post on the forum, or mail it as it is: `paperboy issues release 9001`.",
    facts={"topic": "9001", "time": "2025-08-04 07:05 (Asia/Seoul)"},
)


@dataclass(frozen=True)
class Preview:
    """A mail to a person who does not exist. `fill` is the share of the size limit that a digest takes."""

    name: str
    subject: str
    html: str
    text: str
    message: Message
    fill: float | None


def issue_previews(
    papers: Sequence[Arrival], identity: MailIdentity, now: datetime, daily_papers: int
) -> Iterator[Preview]:
    """All mails in which an issue's papers come: weekly, daily, welcomes, late additions, copies and corrections.

    Raises:
        EmptyIssueError: the issue has no paper in force.
        RenderError: a mail cannot be made to fit.
    """
    kinds = (MailKind.DIGEST, MailKind.WELCOME_DIGEST)
    for language, frequency, kind, detail in product(Language, Frequency, kinds, Detail):
        is_welcome = kind == MailKind.WELCOME_DIGEST
        prefix = f"welcome-{frequency}" if is_welcome else frequency
        spec = MailSpec(preview_slot(prefix), language, frequency, kind, detail)
        editions = editions_of_issue(papers, spec, daily_papers=daily_papers)
        for day, edition in enumerate(editions[:1] if is_welcome else editions, 1):
            name = f"{prefix}-{language}{detail_suffix(detail)}"
            yield edition_preview(edition, f"{name}-day-{day}" if len(editions) > 1 else name, identity, now)
    if late := [paper for paper in papers if paper.late]:
        cursor = max(paper.number for paper in papers)
        for language, detail in product(Language, Detail):
            spec = MailSpec(preview_slot("late"), language, Frequency.WEEKLY, detail=detail)
            name = f"late-{language}{detail_suffix(detail)}"
            yield edition_preview(compose(late, cursor, spec), name, identity, now)
    for language, kind, detail in product(Language, SENT_AGAIN, Detail):
        if kind == MailKind.CORRECTION and detail == Detail.BRIEF:
            continue  # a correction is full whatever the detail
        corrected = [paper for paper in papers if paper.corrected]
        sent = corrected if kind == MailKind.CORRECTION else papers
        spec = MailSpec(preview_slot(kind), language, Frequency.WEEKLY, kind, detail)
        edition = edition_to_resend(sent or papers[:1], spec)
        yield edition_preview(edition, f"{kind}-{language}{detail_suffix(detail)}", identity, now)


def detail_suffix(detail: Detail) -> str:
    """What the name of a preview says of its detail: nothing for a full mail."""
    return "" if detail == Detail.FULL else f"-{detail}"


def edition_preview(edition: Edition, name: str, identity: MailIdentity, now: datetime) -> Preview:
    """The mail of one edition.

    Raises:
        RenderError: it cannot be made to fit.
    """
    rendered = render(edition, identity, longest=longest_placeholders(identity))
    return _preview(name, edition.spec, rendered.content, identity, now, rendered.fill)


def letter_previews(identity: MailIdentity, now: datetime) -> Iterator[Preview]:
    """All letters, in every language."""
    for language in Language:
        for kind in SUBSCRIBER_LETTERS:
            letter = subscriber_letter(kind, language, Frequency.WEEKLY, identity)
            yield _letter_preview(kind, language, letter, identity, now)
    for text_language in TextLanguage:
        language = Language(text_language)
        letter = operator_letter(translated(SAMPLE_NOTICE, text_language), language, identity)
        yield _letter_preview(MailKind.NOTICE, language, letter, identity, now)


def _letter_preview(
    kind: MailKind, language: Language, content: Content, identity: MailIdentity, now: datetime
) -> Preview:
    spec = MailSpec(kind, language, Frequency.WEEKLY, kind)
    return _preview(f"{kind.replace('_', '-')}-{language}", spec, content, identity, now, None)


def _preview(
    name: str,
    spec: MailSpec,
    content: Content,
    identity: MailIdentity,
    now: datetime,
    fill: float | None,
) -> Preview:
    html, text = personalized(spec, content, PREVIEW_RECIPIENT, identity, now)
    message = build_message(
        spec,
        content,
        PREVIEW_RECIPIENT,
        identity,
        message_id=f"preview-{name}@{identity.domain}",
        now=now,
    )
    return Preview(name, content.subject, html, text, message, fill)
