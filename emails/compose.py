"""Composes an edition of given papers: which parts of each paper and issue it shows, in which language. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from core.languages import Language, TextLanguage
from emails.content import MailSpec
from emails.edition import Edition, IssueUnit, PaperUnit, Part, PartName
from issues.arrivals import Arrival, IssueFacts
from issues.parse.content import PaperContent, Picture
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, has_hangul

MAX_LINKS = 20  # per paper; with addresses of at most this length, a single paper always fits into a mail
MAX_LINK_CHARACTERS = 500
MIN_PICTURE_WIDTH = 200  # pixels; a smaller picture is a badge
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

    An issue whose first paper lies at or before the cursor comes without its overview, because the overview
    was in an earlier mail.
    """
    issues: list[IssueUnit] = []
    with_pictures = len(papers) <= MAX_PAPERS_WITH_PICTURES
    for facts, group in groupby(papers, key=lambda arrival: arrival.issue):
        # An issue that got more papers later can come twice, with another issue in between.
        is_continued = facts.first_arrival <= cursor or any(
            unit.topic_id == facts.topic_id for unit in issues
        )
        parts, elsewhere = ((), ()) if is_continued else _opening(facts, spec.language)
        units = tuple(_paper_unit(arrival, cursor, spec.language, with_pictures) for arrival in group)
        issues.append(IssueUnit(facts.topic_id, facts.week, facts.url, facts.papers, parts, elsewhere, units))
    return Edition(
        spec,
        tuple(issues),
        remaining=remaining,
        following=tuple(
            _paper_unit(arrival, cursor, spec.language, with_pictures=False) for arrival in following
        ),
    )


def _opening(facts: IssueFacts, language: Language) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """Overview and summary, which posts have in Korean only; for another language, the names of what is missing."""
    texts: dict[PartName, tuple[Block, ...]] = {"overview": facts.overview, "summary": facts.summary}
    parts = [Part(name, TextLanguage.KO, readable_blocks(blocks)) for name, blocks in texts.items()]
    found = tuple(part for part in parts if part.blocks)
    if TextLanguage.KO in language.texts:
        return found, ()
    return (), tuple(part.name for part in found)


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
    """A paper's texts for a language, most important first, and the names of those that the language lacks.

    The first text opens the paper; it is the abstract where there is no introduction.
    """
    texts: dict[tuple[PartName, TextLanguage], tuple[Block, ...]] = {
        **{("intro", each): paper.texts_in(each).intro for each in TextLanguage},
        **{("abstract", each): paper.texts_in(each).abstract for each in TextLanguage},
        ("notes", TextLanguage.KO): tuple(block for block in paper.notes if has_hangul(block.text)),
        ("notes", TextLanguage.EN): tuple(block for block in paper.notes if not has_hangul(block.text)),
    }
    candidates = [
        Part(name, text_language, readable_blocks(blocks))
        for (name, text_language), blocks in texts.items()
        if text_language in language.texts
    ]
    parts = [part for part in candidates if part.blocks]
    shown = {part.name for part in parts}
    elsewhere = tuple(
        dict.fromkeys(
            name for (name, _), blocks in texts.items() if blocks and name != "notes" and name not in shown
        )
    )
    opener = parts[0].name if parts else ""
    return tuple(replace(part, opens=part.name == opener) for part in parts), elsewhere
