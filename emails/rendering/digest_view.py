"""A digest as its templates see it: an edition in words, with its texts and blocks numbered for fitting."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from core.languages import Language, TextLanguage
from emails.content import MailSpec
from emails.edition import Edition, IssueUnit, PaperUnit, Part, days_covered
from emails.identity import MailIdentity
from emails.kinds import SENT_AGAIN, MailKind
from emails.rendering.base_view import LinkText, MailView, subscriber_links
from emails.rendering.i18n import date_values, translate
from emails.rendering.paper_links import LinkView, PictureView, links_of, picture_of
from emails.rendering.subject import full_dates, preheader_of, subject_of
from emails.rendering.width import shorten
from issues.parse.text import Block

MAX_TITLE_CHARACTERS = 300  # a longer title is a mistake in the post
MAX_LISTED_CHARACTERS = 40  # of a section's heading among what was left out


@dataclass(frozen=True)
class TextView:
    """A text of the mail: `index` is its number among all texts, `first` its first block's among all blocks.

    `listed` names it in the line about what was left out.
    """

    index: int
    first: int
    language: TextLanguage
    heading: str
    listed: str
    blocks: tuple[Block, ...]
    follows_links: bool


@dataclass(frozen=True)
class UnitView:
    """The texts of a paper, an opening or a closing, which are cut together. `index` is its number among all units."""

    index: int
    texts: tuple[TextView, ...]
    web: str


@dataclass(frozen=True)
class PaperView:
    """A paper. `number` is its position in its issue or, in a mail of several issues, in the mail."""

    number: int
    title: str
    title_language: TextLanguage
    subtitle: str
    web: str
    marks: tuple[str, ...]
    picture: PictureView | None
    unit: UnitView
    links: tuple[LinkView, ...]


@dataclass(frozen=True)
class IssueView:
    """An issue's share of the mail. `elsewhere` says which texts the mail's language lacks, `web` where they are."""

    web: str
    elsewhere: str
    unit: UnitView
    papers: tuple[PaperView, ...]
    closing: UnitView


@dataclass(frozen=True)
class DigestView(MailView):
    """A digest in words."""

    heading: str
    kicker: str
    portions: tuple[str, ...]
    opening: str
    issues: tuple[IssueView, ...]
    total: int
    remaining: int
    following: tuple[LinkText, ...]
    following_heading: str

    @property
    def papers(self) -> tuple[PaperView, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)

    @property
    def units(self) -> list[UnitView]:
        """The units of all openings, papers and closings, in reading order."""
        return [
            unit
            for issue in self.issues
            for unit in (issue.unit, *(paper.unit for paper in issue.papers), issue.closing)
        ]


def digest_view(edition: Edition, identity: MailIdentity) -> DigestView:
    """The edition in words."""
    spec, builder = edition.spec, _ViewBuilder(edition, identity.archive)
    language = spec.language
    nonce = hashlib.sha256(repr(edition).encode()).hexdigest()[:20]
    subject, named = subject_of(edition)
    top, bottom = subscriber_links(language, nonce, builder.web_url(edition.issues[-1]))
    start, end = days_covered(edition.issues)
    language_name = translate(language, f"language_{language}")
    # Weekly and daily subscribers get the same copies and corrections, so those name no frequency.
    frequency_name = "" if spec.kind in SENT_AGAIN else translate(language, spec.frequency)
    why = "why" if frequency_name else "why_again"
    papers = len(edition.papers)
    kicker = (full_dates(language, start, end), frequency_name, language_name)
    return DigestView(
        language=language,
        nonce=nonce,
        subject=subject,
        preheader=preheader_of(edition, named),
        top=top,
        bottom=bottom,
        footer=(
            translate(language, why, language=language_name, frequency=frequency_name),
            translate(language, "source"),
        ),
        heading=translate(language, f"heading_{edition.occasion}", count=papers),
        kicker=" · ".join(part for part in kicker if part),
        portions=tuple(_portions(edition)),
        opening=translate(language, _opening_phrase(edition, spec), count=papers),
        issues=tuple([builder.issue(issue) for issue in edition.issues]),
        total=edition.issues[0].total if len(edition.issues) == 1 else papers,
        remaining=edition.remaining,
        following=tuple(
            LinkText(_title(paper, language), paper.forum, paper.title_language)
            for paper in edition.following
        ),
        following_heading=translate(language, f"following_{spec.frequency}") if edition.following else "",
    )


def _opening_phrase(edition: Edition, spec: MailSpec) -> str:
    if spec.kind == MailKind.WELCOME_DIGEST:
        return f"opening_welcome_{spec.frequency}"
    return f"opening_{edition.occasion}"


class _ViewBuilder:
    """Builds the views of an edition's issues and papers, and numbers units, texts and blocks in order."""

    def __init__(self, edition: Edition, archive: str) -> None:
        self._edition = edition
        self._archive = archive
        self._language = edition.spec.language
        self._units = self._texts = self._blocks = self._papers = 0

    def web_url(self, issue: IssueUnit, language: TextLanguage | None = None) -> str:
        """Where an issue can be read in full, in the mail's language or in another one."""
        return f"{self._archive}/{issue.topic_id}?text={language or self._language}"

    def issue(self, issue: IssueUnit) -> IssueView:
        """The view of an issue."""
        web = self.web_url(issue)
        return IssueView(
            web=self.web_url(issue, self._language.frame.other),
            elsewhere=_elsewhere(issue, self._language),
            unit=self._unit(issue.parts, web),
            papers=tuple([self._paper(paper, f"{web}#paper-{paper.number}") for paper in issue.papers]),
            closing=self._unit(issue.closing, web),
        )

    def _paper(self, paper: PaperUnit, web: str) -> PaperView:
        self._papers += 1
        title = _title(paper, self._language)
        return PaperView(
            number=paper.position if len(self._edition.issues) == 1 else self._papers,
            title=title,
            title_language=paper.title_language,
            subtitle=shorten(paper.subtitle, MAX_TITLE_CHARACTERS),
            web=web,
            marks=tuple(
                translate(self._language, mark) for mark in ("late", "corrected") if getattr(paper, mark)
            ),
            picture=picture_of(paper, title, self._language),
            unit=self._unit(paper.parts, web),
            links=tuple(links_of(paper, self._language)),
        )

    def _unit(self, parts: Iterable[Part], web: str) -> UnitView:
        unit = UnitView(self._units, tuple([self._text(part) for part in parts]), web)
        self._units += 1
        return unit

    def _text(self, part: Part) -> TextView:
        text = TextView(
            index=self._texts,
            first=self._blocks,
            language=part.language,
            heading=shorten(part.heading, MAX_TITLE_CHARACTERS) or translate(part.language, part.name),
            listed=_listed(part, self._language),
            blocks=part.blocks,
            follows_links=part.follows_links,
        )
        self._texts += 1
        self._blocks += len(part.blocks)
        return text


def _title(paper: PaperUnit, language: Language) -> str:
    return shorten(paper.title, MAX_TITLE_CHARACTERS) or translate(language, "untitled")


def _listed(part: Part, language: Language) -> str:
    """How the line about what was left out names a text."""
    name = shorten(part.heading, MAX_LISTED_CHARACTERS) or translate(language, part.name)
    if len(language.texts) == 1 or part.name in {"overview", "summary"}:
        return name
    language_name = translate(language, f"language_{part.language}")
    return translate(language, "part_in", part=name, language=language_name)


def _elsewhere(issue: IssueUnit, language: Language) -> str:
    """One line about the texts that an issue has only in the other language, or empty if there are none."""
    names = [translate(language, name) for name in issue.elsewhere]
    for name in ("intro", "abstract", "section"):
        positions = [paper.position for paper in issue.papers if name in paper.elsewhere]
        if positions:
            names.append(f"{translate(language, name)} ({ranges(positions)})")
    return translate(language, "elsewhere", what=", ".join(names)) if names else ""


def _portions(edition: Edition) -> Iterator[str]:
    """For a daily mail, which papers it brings of each issue that is spread over several mails."""
    if edition.spec.frequency.brings_whole_issues:
        return
    for issue in edition.issues:
        if len(issue.papers) < issue.total:
            yield translate(
                edition.spec.language,
                "portion",
                total=issue.total,
                positions=ranges([paper.position for paper in issue.papers]),
                **date_values(issue.week.start, issue.week.end),
            )


def ranges(numbers: Iterable[int]) -> str:
    """Numbers with consecutive ones joined: `1–3, 7`."""
    ordered = sorted(numbers)
    groups = [
        [number for _, number in group]
        for _, group in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups)
