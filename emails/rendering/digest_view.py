"""A digest as its templates see it: an edition in words, its texts numbered for the layout."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from urllib.parse import urlsplit

from emails.edition import MIN_PICTURE, Edition, IssueUnit, PaperUnit, Part, subject_week
from emails.rendering.base_view import Anchor, Page, reader_links
from emails.rendering.i18n import day_values, say
from emails.rendering.subject import days, preheader_of, subject_of
from emails.rendering.width import shorten
from issues.parse.post import Link
from issues.parse.text import Block, has_hangul

TITLE_WIDTH = 300  # of one paper; so long a title is a mistake in the post
LABEL_WIDTH = 100
PICTURE_WIDTH = 600  # pixels of the column
_AREA = 100  # square pixels of a picture for each character beside it: pictures serve the text
_CODE = {"github.com", "gitlab.com", "codeberg.org", "bitbucket.org"}
_PATH_SHOWN = {"github.com": 2, "gitlab.com": 2, "huggingface.co": 2, "arxiv.org": 2, "x.com": 1}


@dataclass(frozen=True)
class Text:
    """A text of the mail: `index` is its place among all texts, `first` its first block's among all blocks."""

    index: int
    first: int
    language: str
    heading: str
    listed: str
    blocks: tuple[Block, ...]

    def list_of(self, block: int) -> int:
        """The place of the first item of the list that the item at `block` belongs to."""
        while block and self.blocks[block - 1].type == "li":
            block -= 1
        return self.first + block


@dataclass(frozen=True)
class Unit:
    """A paper or an issue's opening: texts that are cut together; `index` is its place among all units."""

    index: int
    texts: tuple[Text, ...]
    web: str


@dataclass(frozen=True)
class Linked:
    """A link of a paper: `kind` says what is there."""

    kind: str
    label: str
    url: str


@dataclass(frozen=True)
class Figure:
    """A picture fitted to the column: width and height in pixels."""

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True)
class PaperPage:
    """A paper: `number` is its place in the week's issue, or in a mail of several issues in the mail."""

    number: int
    title: str
    title_language: str
    subtitle: str
    web: str
    marks: tuple[str, ...]
    figure: Figure | None
    unit: Unit
    links: tuple[Linked, ...]


@dataclass(frozen=True)
class IssuePage:
    """An issue's share of the mail; `elsewhere` says which texts the mail's language lacks, and `web`
    is where they are."""

    web: str
    elsewhere: str
    unit: Unit
    papers: tuple[PaperPage, ...]


@dataclass(frozen=True)
class DigestPage(Page):
    """A digest in words."""

    heading: str
    kicker: str
    portions: tuple[str, ...]
    opening: str
    issues: tuple[IssuePage, ...]
    total: int
    remaining: int
    following: tuple[Anchor, ...]

    @property
    def papers(self) -> tuple[PaperPage, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)


def digest_page(edition: Edition, archive: str) -> DigestPage:
    """The edition in words; `archive` is the address of the issues on the web."""
    language, frequency, writer = edition.language, edition.frequency, _Writer(edition, archive)
    nonce = hashlib.sha256(repr(edition).encode()).hexdigest()[:20]
    subject, named = subject_of(edition)
    top, bottom = reader_links(language, nonce, writer.web(edition.issues[-1]))
    opening = f"welcome_{frequency}" if edition.purpose == "welcome" else edition.occasion
    start, end = subject_week(edition.issues)
    spoken = say(language, f"language_{language}")
    # What an operator sends again is the same for weekly and daily readers.
    rhythm = "" if edition.purpose in {"copy", "correction"} else say(language, frequency)
    why = "why" if rhythm else "why_again"
    papers = len(edition.papers)
    return DigestPage(
        language=language,
        nonce=nonce,
        subject=subject,
        preheader=preheader_of(edition, named),
        top=top,
        bottom=bottom,
        ending=(
            say(language, why, language=spoken, frequency=rhythm),
            say(language, "source"),
        ),
        heading=say(language, f"heading_{edition.occasion}", count=papers),
        kicker=" · ".join(part for part in (days(language, start, end), rhythm, spoken) if part),
        portions=tuple(_portions(edition)),
        opening=say(language, f"opening_{opening}", count=papers),
        issues=tuple([writer.issue(issue) for issue in edition.issues]),
        total=edition.issues[0].total if len(edition.issues) == 1 else papers,
        remaining=edition.remaining,
        following=tuple(
            Anchor(_title(paper, language), paper.forum, paper.title_language) for paper in edition.following
        ),
    )


class _Writer:
    """Writes an edition's issues and papers, counting units, texts and blocks as they come."""

    def __init__(self, edition: Edition, archive: str) -> None:
        self._edition = edition
        self._archive = archive
        self._language = edition.language
        self._units = self._texts = self._blocks = self._papers = 0

    def web(self, issue: IssueUnit, language: str = "") -> str:
        """Where an issue can be read in full, in the mail's language or another one."""
        return f"{self._archive}/{issue.topic_id}?text={language or self._language}"

    def issue(self, issue: IssueUnit) -> IssuePage:
        web = self.web(issue)
        return IssuePage(
            web=self.web(issue, "ko" if self._language == "en" else "en"),
            elsewhere=_elsewhere(issue, self._language),
            unit=self._unit(issue.parts, web),
            papers=tuple([self._paper(paper, f"{web}#paper-{paper.number}") for paper in issue.papers]),
        )

    def _paper(self, paper: PaperUnit, web: str) -> PaperPage:
        self._papers += 1
        title = _title(paper, self._language)
        return PaperPage(
            number=paper.position if len(self._edition.issues) == 1 else self._papers,
            title=title,
            title_language=paper.title_language,
            subtitle=shorten(paper.subtitle, TITLE_WIDTH),
            web=web,
            marks=tuple(say(self._language, mark) for mark in ("late", "corrected") if getattr(paper, mark)),
            figure=_figure(paper, title, self._language),
            unit=self._unit(paper.parts, web),
            links=tuple(_links(paper, self._language)),
        )

    def _unit(self, parts: Iterable[Part], web: str) -> Unit:
        unit = Unit(self._units, tuple([self._text(part) for part in parts]), web)
        self._units += 1
        return unit

    def _text(self, part: Part) -> Text:
        text = Text(
            index=self._texts,
            first=self._blocks,
            language=part.language,
            heading=say(part.language, part.name),
            listed=_listed(part, self._language),
            blocks=part.blocks,
        )
        self._texts += 1
        self._blocks += len(part.blocks)
        return text


def _title(paper: PaperUnit, language: str) -> str:
    return shorten(paper.title, TITLE_WIDTH) or say(language, "untitled")


def _listed(part: Part, language: str) -> str:
    """How the line about what was left out names a text."""
    name = say(language, part.name)
    if language != "both" or part.name in {"overview", "summary"}:
        return name
    return say(language, "part_in", part=name, language=say(language, f"language_{part.language}"))


def _elsewhere(issue: IssueUnit, language: str) -> str:
    """One line about the texts that an issue has in the other language only, or nothing."""
    names = [say(language, name) for name in issue.elsewhere]
    for name in ("intro", "abstract"):
        positions = [paper.position for paper in issue.papers if name in paper.elsewhere]
        if positions:
            names.append(f"{say(language, name)} ({ranges(positions)})")
    return say(language, "elsewhere", what=", ".join(names)) if names else ""


def _portions(edition: Edition) -> Iterator[str]:
    """For a daily mail, which papers of each issue it brings, of those that come in several mails."""
    if edition.frequency == "weekly":
        return
    for issue in edition.issues:
        if len(issue.papers) < issue.total:
            yield say(
                edition.language,
                "portion",
                total=issue.total,
                positions=ranges([paper.position for paper in issue.papers]),
                **day_values(issue.week.start, issue.week.end),
            )


def ranges(numbers: Iterable[int]) -> str:
    """Numbers with runs drawn together: `1–3, 7`."""
    ordered = sorted(numbers)
    runs = [
        [number for _, number in group]
        for _, group in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


# --- links and pictures -------------------------------------------------------------


def _links(paper: PaperUnit, language: str) -> Iterator[Linked]:
    if paper.url:
        yield Linked(say(language, "link_paper"), address_name(paper.url), paper.url)
    for kind in ("code", "project", "more"):
        for link in paper.links:
            if _kind_of(link) == kind:
                yield Linked(say(language, f"link_{kind}"), _label(link, language), link.url)
    yield Linked(say(language, "link_discuss"), say(language, "discuss"), paper.forum)


def _kind_of(link: Link) -> str:
    host = _host(link.url)
    if host in _CODE:
        return "code"
    return "project" if host.endswith((".github.io", ".gitlab.io")) else "more"


def _label(link: Link, language: str) -> str:
    """A link's own label, unless it is in a language that the mail is not, or its address."""
    if link.label and not (language == "en" and has_hangul(link.label)):
        return shorten(link.label, LABEL_WIDTH)
    return address_name(link.url)


def address_name(url: str) -> str:
    """An address as people name it: `github.com/owner/name`, `arxiv.org/abs/2505.91234`, `example.org`."""
    host = _host(url)
    path = [part for part in urlsplit(url).path.split("/") if part][: _PATH_SHOWN.get(host, 0)]
    return shorten("/".join([host, *path]), LABEL_WIDTH)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").removeprefix("www.")


def _figure(paper: PaperUnit, title: str, language: str) -> Figure | None:
    """The paper's picture, no wider than the column and no larger than its texts deserve."""
    picture = paper.picture
    if picture is None:
        return None
    characters = sum(len(block.text) for part in paper.parts for block in part.blocks)
    room = sqrt(_AREA * characters / (picture.width * picture.height))
    scale = min(1, PICTURE_WIDTH / picture.width, room)
    width, height = round(picture.width * scale), max(1, round(picture.height * scale))
    if width < MIN_PICTURE:
        return None
    return Figure(picture.url, width, height, alt=say(language, "picture", title=title))
