"""A digest as its templates see it: an edition in words, with its texts and blocks numbered for fitting."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from core.languages import Language, TextLanguage
from emails.edition import Edition, Gist, IssueUnit, PaperUnit, days_covered
from emails.identity import MailIdentity
from emails.kinds import SENT_AGAIN, MailKind
from emails.rendering.base_view import Line, LinkText, MailView, digest_footer
from emails.rendering.i18n import translate
from emails.rendering.paper_links import LinkView, PictureView, links_of, picture_of
from emails.rendering.subject import headline_of, preheader_of, short_dates, subject_of
from emails.rendering.text_views import LeftOutView, PairView, TextNumbering, TextView
from emails.rendering.width import shorten

MAX_TITLE_CHARACTERS = 300  # a longer title is a mistake in the post


@dataclass(frozen=True)
class NoteView:
    """What the operators say in one language, with a heading."""

    language: TextLanguage
    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class ChangeView:
    """What changed: a title or link by `name`, before and after; or a whole sentence, without a name."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class PaperView:
    """A paper. `index` is its number in the mail, `number` its position in its issue if the mail has one issue only."""

    index: int
    number: int
    title: str
    title_language: TextLanguage
    subtitle: str
    url: str
    marks: tuple[str, ...]
    gists: tuple[Gist, ...]
    links: tuple[LinkView, ...]
    code_links: tuple[LinkView, ...]
    changes: tuple[ChangeView, ...]
    picture: PictureView | None
    texts: tuple[PairView, ...]


@dataclass(frozen=True)
class IssueView:
    """An issue's share of the mail. `elsewhere` says which texts the mail's language lacks, `elsewhere_url` where they are.

    `url` is where all of it can be read.
    """

    index: int
    url: str
    elsewhere: str
    elsewhere_url: str
    opening: tuple[PairView, ...]
    papers: tuple[PaperView, ...]
    closing: tuple[PairView, ...]
    left_outs: tuple[LeftOutView, ...]

    def left_outs_with(self, shown: Sequence[int]) -> list[LeftOutView]:
        """The kinds of which the mail lacks something."""
        return [
            entry
            for entry in self.left_outs
            if any(shown[text.index] < len(text.blocks) for text in entry.texts)
        ]


@dataclass(frozen=True)
class DigestView(MailView):
    """A digest in words. `occasion` says why it comes, unless it is a regular one."""

    occasion: str
    heading: str
    opening: str
    notes: tuple[NoteView, ...]
    issues: tuple[IssueView, ...]
    remaining: int
    following: tuple[LinkText, ...]
    following_heading: str

    @property
    def papers(self) -> tuple[PaperView, ...]:
        """All papers, in order."""
        return tuple(paper for issue in self.issues for paper in issue.papers)

    @property
    def texts(self) -> list[TextView]:
        """All texts, in reading order."""
        return [text for pair in self.pairs for text in pair.texts]

    @property
    def pairs(self) -> list[PairView]:
        """All texts, each with its translation."""
        return [
            pair
            for issue in self.issues
            for pairs in (issue.opening, *(paper.texts for paper in issue.papers), issue.closing)
            for pair in pairs
        ]


def digest_view(edition: Edition, identity: MailIdentity) -> DigestView:
    """The edition in words."""
    spec, language = edition.spec, edition.spec.language
    nonce = hashlib.sha256(repr((edition, identity.name, identity.forum_names)).encode()).hexdigest()[:20]
    builder = _ViewBuilder(edition, identity.archive)
    is_regular = spec.kind == MailKind.DIGEST and edition.occasion != "late"
    papers = len(edition.papers)
    return DigestView(
        language=language,
        nonce=nonce,
        brand=identity.name,
        subject=subject_of(edition),
        preheader=preheader_of(edition),
        masthead=_masthead(edition, builder.web_url(edition.issues[-1])),
        footer=digest_footer(spec, nonce, identity, _why(edition, identity)),
        occasion=""
        if is_regular
        else translate(language, f"occasion_{edition.occasion}", name=identity.name),
        heading=headline_of(edition),
        opening="" if is_regular else translate(language, _opening_phrase(edition), count=papers),
        notes=tuple(
            NoteView(note.language, translate(Language(note.language), "note"), note.paragraphs)
            for issue in edition.issues
            for note in issue.notes
        ),
        issues=tuple([builder.issue(issue) for issue in edition.issues]),
        remaining=edition.remaining,
        following=tuple(
            LinkText(_title(paper, language), paper.forum, paper.title_language)
            for paper in edition.following
        ),
        following_heading=translate(language, f"following_{spec.frequency}") if edition.following else "",
    )


def _masthead(edition: Edition, web: str) -> Line:
    """The week, the kind of the mail, and where it can be read on the web."""
    language = edition.spec.language
    dates = short_dates(language, *days_covered(edition.issues))
    return LinkText(dates), LinkText(_scope(edition)), LinkText(translate(language, "web"), web)


def _scope(edition: Edition) -> str:
    """What the mail brings: a weekly one says so, and another one which papers of how many, or how many."""
    language, issue = edition.spec.language, edition.issues[0]
    if edition.occasion == "weekly":
        return translate(language, "weekly")
    if len(edition.issues) == 1 and len(issue.papers) < issue.total:
        positions = ranges([paper.position for paper in issue.papers])
        return translate(language, "portion", count=len(issue.papers), total=issue.total, positions=positions)
    return translate(language, "papers", count=len(edition.papers))


def _why(edition: Edition, identity: MailIdentity) -> str:
    spec = edition.spec
    values = {
        "language": translate(spec.language, f"language_{spec.language}"),
        "frequency": translate(spec.language, spec.frequency),
        "name": identity.name,
        "forum": identity.forum_names[spec.language.frame],
    }
    # Weekly and daily subscribers get the same copies and corrections, so those name no frequency.
    return translate(spec.language, "why_again" if spec.kind in SENT_AGAIN else "why", **values)


def _opening_phrase(edition: Edition) -> str:
    if edition.spec.kind == MailKind.WELCOME_DIGEST:
        return f"opening_welcome_{edition.spec.frequency}"
    return f"opening_{edition.occasion}"


class _ViewBuilder:
    """Builds the views of an edition's issues and papers, and numbers them in order."""

    def __init__(self, edition: Edition, archive: str) -> None:
        self._edition = edition
        self._archive = archive
        self._language = edition.spec.language
        self._issues = self._papers = 0
        self._texts = TextNumbering(self._language)

    def web_url(self, issue: IssueUnit, language: TextLanguage | None = None) -> str:
        """Where an issue can be read in full, in the mail's language or in another one."""
        return f"{self._archive}/{issue.topic_id}?text={language or self._language}"

    def issue(self, issue: IssueUnit) -> IssueView:
        """The view of an issue."""
        view = IssueView(
            index=self._issues,
            url=self.web_url(issue),
            elsewhere=_elsewhere(issue, self._language),
            elsewhere_url=self.web_url(issue, self._language.frame.other),
            opening=self._texts.in_pairs(issue.parts),
            papers=tuple([self._paper(paper) for paper in issue.papers]),
            closing=self._texts.in_pairs(issue.closing),
            left_outs=self._texts.left_outs(),
        )
        self._issues += 1
        return view

    def _paper(self, paper: PaperUnit) -> PaperView:
        self._papers += 1
        title = _title(paper, self._language)
        links = tuple(links_of(paper, self._language))
        return PaperView(
            index=self._papers,
            number=paper.position if len(self._edition.issues) == 1 else self._papers,
            title=title,
            title_language=paper.title_language,
            subtitle=shorten(paper.subtitle, MAX_TITLE_CHARACTERS),
            url=paper.url or paper.forum,
            marks=tuple(
                translate(self._language, mark) for mark in ("late", "corrected") if getattr(paper, mark)
            ),
            gists=paper.gists,
            links=links,
            code_links=tuple(link for link in links if link.is_code),
            changes=tuple(_changes(paper, self._language)),
            picture=picture_of(paper, title, self._language),
            texts=self._texts.in_pairs(paper.parts),
        )


def _changes(paper: PaperUnit, language: Language) -> Iterator[ChangeView]:
    """What a correction says about a paper before its texts."""
    for change in paper.replaced:
        yield ChangeView(translate(language, f"changed_{change.what}"), change.before, change.after)
    sentences = []
    if any(run.changed for part in paper.parts for block in part.blocks for run in block.runs):
        sentences.append(translate(language, "changed_sentences"))
    if paper.removed_sentences:
        sentences.append(translate(language, "removed_sentences", count=paper.removed_sentences))
    if sentences:
        yield ChangeView("", "", " ".join(sentences))


def _title(paper: PaperUnit, language: Language) -> str:
    return shorten(paper.title, MAX_TITLE_CHARACTERS) or translate(language, "untitled")


def _elsewhere(issue: IssueUnit, language: Language) -> str:
    """One line about the texts that an issue has only in the other language, or empty if there are none."""
    names = [translate(language, name) for name in issue.elsewhere]
    for name in ("intro", "abstract", "section"):
        positions = [paper.position for paper in issue.papers if name in paper.elsewhere]
        if positions:
            names.append(f"{translate(language, name)} ({ranges(positions)})")
    return translate(language, "elsewhere", what=", ".join(names)) if names else ""


def ranges(numbers: Iterable[int]) -> str:
    """Numbers with consecutive ones joined: `1–3, 7`."""
    ordered = sorted(numbers)
    groups = [
        [number for _, number in group]
        for _, group in groupby(enumerate(ordered), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{group[0]}–{group[-1]}" if len(group) > 1 else str(group[0]) for group in groups)
