"""Composes an edition of given papers: which parts of each paper and issue it shows, in which language. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from core.languages import Language, TextLanguage
from emails.content import MailSpec
from emails.edition import Edition, IssueUnit, PaperUnit, Part, PartName
from emails.kinds import MailKind
from issues.arrivals import Arrival, IssueFacts
from issues.parse.content import PaperContent, Picture, Section
from issues.parse.languages import language_of
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, TextRun, has_hangul
from issues.parse.titles import split_title

MAX_LINKS = 20  # per paper; with addresses of at most this length, a single paper always fits into a mail
MAX_LINK_CHARACTERS = 500
MIN_PICTURE_WIDTH = 200  # pixels; a smaller picture is a badge
MAX_SECTIONS = 8  # at a place of a paper; further ones are joined, so that lists of their headings stay short
MAX_PAPERS_WITH_PICTURES = 12  # a mail with more papers needs its room for texts


def compose(
    papers: Sequence[Arrival],
    cursor: int,
    spec: MailSpec,
    *,
    remaining: int = 0,
    following: Sequence[Arrival] = (),
) -> Edition:
    """The edition of exactly these papers, for subscribers at `cursor`.

    An issue whose first paper lies at or before the cursor comes without its overview, because the overview was in an
    earlier mail. What it says after its papers comes with its last paper, but not with a correction.
    """
    issues: list[IssueUnit] = []
    for facts, group in groupby(papers, key=lambda arrival: arrival.issue):
        # An issue that got more papers later can come twice, with another issue in between.
        is_continued = facts.first_arrival <= cursor or any(
            unit.topic_id == facts.topic_id for unit in issues
        )
        issues.append(_issue_unit(facts, tuple(group), cursor, spec, is_continued, len(papers)))
    return Edition(
        spec,
        tuple(issues),
        remaining=remaining,
        following=tuple(
            _paper_unit(arrival, cursor, spec.language, with_pictures=False) for arrival in following
        ),
    )


def _issue_unit(
    facts: IssueFacts,
    papers: Sequence[Arrival],
    cursor: int,
    spec: MailSpec,
    is_continued: bool,
    papers_in_mail: int,
) -> IssueUnit:
    parts, elsewhere = (
        ((), ()) if is_continued else opening_parts(facts.overview, facts.summary, spec.language)
    )
    has_last = any(arrival.position == facts.papers for arrival in papers)
    ends_here = has_last and spec.kind != MailKind.CORRECTION
    closing, closing_elsewhere = closing_parts(facts.closing, spec.language) if ends_here else ((), ())
    with_pictures = papers_in_mail <= MAX_PAPERS_WITH_PICTURES
    return IssueUnit(
        topic_id=facts.topic_id,
        week=facts.week,
        url=facts.url,
        total=facts.papers,
        parts=parts,
        elsewhere=(*elsewhere, *closing_elsewhere),
        papers=tuple(_paper_unit(arrival, cursor, spec.language, with_pictures) for arrival in papers),
        closing=closing,
    )


# --- the texts of an issue ----------------------------------------------------------


def opening_parts(
    overview: Sequence[Block], summary: Sequence[Block], language: Language
) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """Overview and summary, and the names of those that the language lacks.

    Posts have them in Korean. For English, what is in English without doubt is taken from them.
    """
    texts: dict[PartName, Sequence[Block]] = {"overview": overview, "summary": summary}
    has_korean = TextLanguage.KO in language.texts
    parts = [
        Part(name, language.frame, readable_blocks(blocks if has_korean else _english(blocks)))
        for name, blocks in texts.items()
    ]
    missing = tuple(part.name for part in parts if texts[part.name] and not part.blocks)
    return tuple(part for part in parts if part.blocks), missing


def closing_parts(
    closing: Sequence[Block], language: Language
) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """What an issue says after its papers, and the name of this text if the language lacks it.

    What has no letters goes with the Korean text.
    """
    texts: dict[TextLanguage, list[Block]] = {each: [] for each in TextLanguage}
    for block in closing:
        texts[language_of([block]) or TextLanguage.KO].append(block)
    parts = [Part("closing", each, readable_blocks(texts[each])) for each in language.texts]
    found = tuple(part for part in parts if part.blocks)
    has_words = any(character.isalpha() for block in closing for character in block.text)
    return found, () if found or not has_words else ("closing",)


def _english(blocks: Iterable[Block]) -> list[Block]:
    """The blocks that are in English without doubt."""
    return [block for block in blocks if language_of([block]) == TextLanguage.EN]


# --- papers -------------------------------------------------------------------------


def _paper_unit(arrival: Arrival, cursor: int, language: Language, with_pictures: bool) -> PaperUnit:
    paper = arrival.paper
    parts, elsewhere = _parts(paper, language)
    titles = {text_language: paper.texts_in(text_language).title for text_language in TextLanguage}
    title, title_language, subtitle = _titles(titles, language)
    return PaperUnit(
        number=arrival.number,
        arrival_order=arrival.arrival_order,
        position=arrival.position,
        title=title,
        subtitle=subtitle,
        title_language=title_language,
        forum=f"{arrival.issue.url}#{paper.anchor}" if paper.anchor else arrival.issue.url,
        url=paper.url,
        links=tuple(link for link in paper.links if len(link.url) <= MAX_LINK_CHARACTERS)[:MAX_LINKS],
        picture=_picture(paper) if with_pictures else None,
        parts=parts,
        elsewhere=elsewhere,
        late=arrival.late and arrival.issue.first_arrival <= cursor,
        corrected=arrival.corrected,
    )


def _titles(titles: dict[TextLanguage, str], language: Language) -> tuple[str, TextLanguage, str]:
    """Title, its language, and subtitle. Papers are known by their English title, so a Korean mail shows it too."""
    english = titles[TextLanguage.EN]
    if language.frame == TextLanguage.EN:
        return english, TextLanguage.EN, ""
    title = titles[language.frame]
    return (title, language.frame, english) if title else (english, TextLanguage.EN, "")


def _picture(paper: PaperContent) -> Picture | None:
    """The paper's first large picture with a known size; without a size, the mail would jump while it loads."""
    suitable = (
        picture
        for picture in paper.pictures
        if picture.width >= MIN_PICTURE_WIDTH
        and picture.height >= MIN_PICTURE_WIDTH / 4
        and len(picture.url) <= MAX_LINK_CHARACTERS
    )
    return next(suitable, None)


def _parts(paper: PaperContent, language: Language) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """A paper's texts for a language in reading order, and the names of those that the language lacks.

    The introduction opens the paper; without one it is the abstract, and without both whatever comes first.
    """
    parts: list[Part] = []
    missing: list[PartName] = []
    for versions in texts_of(paper):
        written = [part for part in versions if part.blocks]
        shown = [part for part in written if part.language in language.texts]
        if len(shown) == len(written) > 1 and len({part.blocks for part in shown}) == 1:
            shown = shown[:1]  # it has no language, like a list of links, and stands in the post once
        parts += shown
        if written and not shown and written[0].name != "notes":
            missing.append(written[0].name)
    names = [part.name for part in parts]
    opener = next((name for name in names if name in {"intro", "abstract"}), *names[:1]) if names else ""
    return tuple(replace(part, opens=part.name == opener) for part in parts), tuple(dict.fromkeys(missing))


def texts_of(paper: PaperContent) -> Iterator[list[Part]]:
    """All texts of a paper in reading order, each in all languages. A text can lack blocks in a language."""
    texts = {each: paper.texts_in(each) for each in TextLanguage}
    yield from _sections_after("title", paper)
    yield [Part("intro", each, readable_blocks(texts[each].intro)) for each in TextLanguage]
    yield from _sections_after("intro", paper)
    yield [Part("abstract", each, readable_blocks(texts[each].abstract)) for each in TextLanguage]
    yield from _sections_after("abstract", paper)
    yield [Part("notes", each, readable_blocks(_notes(paper, each))) for each in TextLanguage]
    yield from _sections_after("link", paper)
    yield from _sections_after("more", paper)


def _notes(paper: PaperContent, language: TextLanguage) -> tuple[Block, ...]:
    """The texts among a paper's links in one language."""
    return tuple(block for block in paper.notes if has_hangul(block.text) == (language == TextLanguage.KO))


def _sections_after(place: str, paper: PaperContent) -> Iterator[list[Part]]:
    """The further sections at a place of a paper, each in all languages."""
    for section in _joined_sections(place, paper):
        yield [
            Part(
                "section",
                each,
                readable_blocks(section.blocks_in(each)),
                heading=_heading(section, each),
                follows_links=place in {"link", "more"},
            )
            for each in TextLanguage
        ]


def _joined_sections(place: str, paper: PaperContent) -> list[Section]:
    """The further sections at a place of a paper, at most MAX_SECTIONS; the last of them has the texts of all others.

    A heading without a text of its own goes before the next heading.
    """
    sections: list[Section] = []
    upper: list[str] = []
    for section in paper.sections:
        if section.after != place:
            continue
        upper.append(section.heading)
        if section.ko or section.en:
            sections.append(replace(section, heading=" · ".join(upper)))
            upper = []
    shown, last = sections[: MAX_SECTIONS - 1], sections[MAX_SECTIONS - 1 :]
    return [*shown, _joined(last)] if last else shown


def _joined(sections: Sequence[Section]) -> Section:
    """The first section with the texts of the others, whose headings become paragraphs."""
    korean, english = (
        tuple(
            block
            for section in sections[1:]
            if section.blocks_in(language)
            for block in (
                Block("p", (TextRun(_heading(section, language), bold=True),)),
                *section.blocks_in(language),
            )
        )
        for language in TextLanguage
    )
    first = sections[0]
    return replace(first, ko=first.ko + korean, en=first.en + english)


def _heading(section: Section, language: TextLanguage) -> str:
    """A section's heading for its text in a language: a half of it, if it is in both; empty if there is none in English."""
    korean, english = split_title(section.heading)
    return english if language == TextLanguage.EN else korean or section.heading
