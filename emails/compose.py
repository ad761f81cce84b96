"""Composes an edition of given papers: which parts of each paper and issue it shows, in which language. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, groupby

from core.details import Detail
from core.languages import Language, TextLanguage
from emails.changes import count_removed_sentences, replacements, with_new_sentences_marked
from emails.content import MailSpec
from emails.edition import Edition, Gist, IssueUnit, OperatorNote, PaperUnit, Part, PartName
from emails.kinds import MailKind
from emails.paper_texts import texts_of
from emails.short_names import short_name
from issues.arrivals import Arrival, IssueFacts
from issues.parse.content import PaperContent, Picture
from issues.parse.languages import language_of
from issues.parse.readable import readable_blocks
from issues.parse.text import Block, tidy

_NUMBER_EMOJI = re.compile("([1-9])\ufe0f?\u20e3\\s*")
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
        following=tuple(_paper_unit(arrival, cursor, spec, with_picture=False) for arrival in following),
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
    ends_here = has_last and _is_full(spec) and spec.kind != MailKind.CORRECTION
    closing, closing_elsewhere = closing_parts(facts.closing, spec.language) if ends_here else ((), ())
    with_pictures = _is_full(spec) and papers_in_mail <= MAX_PAPERS_WITH_PICTURES
    return IssueUnit(
        topic_id=facts.topic_id,
        week=facts.week,
        url=facts.url,
        total=facts.papers,
        parts=parts,
        elsewhere=(*elsewhere, *closing_elsewhere),
        papers=tuple(_paper_unit(arrival, cursor, spec, with_pictures) for arrival in papers),
        closing=closing,
        notes=() if is_continued else _notes(facts, spec),
    )


# --- the texts of an issue ----------------------------------------------------------


def _notes(facts: IssueFacts, spec: MailSpec) -> tuple[OperatorNote, ...]:
    """What the operators say in a digest. Welcomes, copies and corrections come at other times, so they lack it."""
    if spec.kind != MailKind.DIGEST:
        return ()
    texts = {TextLanguage.KO: facts.note_ko, TextLanguage.EN: facts.note_en}
    return tuple(
        OperatorNote(language, tuple(line.strip() for line in texts[language].splitlines() if line.strip()))
        for language in spec.language.texts
        if texts[language].strip()
    )


def opening_parts(
    overview: Sequence[Block], summary: Sequence[Block], language: Language
) -> tuple[tuple[Part, ...], tuple[PartName, ...]]:
    """Overview and summary, and the names of those that the language lacks.

    Posts have them in Korean. For English, what is in English without doubt is taken from them.
    """
    texts: dict[PartName, Sequence[Block]] = {"overview": overview, "summary": summary}
    has_korean = TextLanguage.KO in language.texts
    parts = [
        Part(
            name,
            language.frame,
            readable_blocks(with_numbered_points(blocks if has_korean else _english(blocks))),
        )
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


def with_numbered_points(blocks: Iterable[Block]) -> list[Block]:
    """The blocks, with each paragraph that begins with a number emoji as an item of a numbered list.

    Many mail clients have no font for these emoji, and show a box.
    """
    return [_as_point(block) for block in blocks]


def _as_point(block: Block) -> Block:
    first = _NUMBER_EMOJI.match(block.runs[0].text) if block.runs and block.type == "p" else None
    if first is None:
        return block
    rest = tidy([replace(block.runs[0], text=block.runs[0].text[first.end() :]), *block.runs[1:]])
    return Block("li", rest, number=int(first[1])) if rest else block


def _english(blocks: Iterable[Block]) -> list[Block]:
    """The blocks that are in English without doubt."""
    return [block for block in blocks if language_of([block]) == TextLanguage.EN]


# --- papers -------------------------------------------------------------------------


def _paper_unit(arrival: Arrival, cursor: int, spec: MailSpec, with_picture: bool) -> PaperUnit:
    paper, language = arrival.paper, spec.language
    parts, elsewhere = _parts(paper, language) if _is_full(spec) else ((), ())
    before = list(chain.from_iterable(texts_of(arrival.before))) if arrival.before else []
    titles = {text_language: paper.texts_in(text_language).title for text_language in TextLanguage}
    title, title_language, subtitle = _titles(titles, language)
    return PaperUnit(
        number=arrival.number,
        arrival_order=arrival.arrival_order,
        position=arrival.position,
        title=title,
        subtitle=subtitle,
        title_language=title_language,
        short_name=short_name(paper, language),
        gists=_gists(paper, language),
        forum=f"{arrival.issue.url}#{paper.anchor}" if paper.anchor else arrival.issue.url,
        url=paper.url,
        links=tuple(link for link in paper.links if len(link.url) <= MAX_LINK_CHARACTERS)[:MAX_LINKS],
        picture=_picture(paper) if with_picture else None,
        parts=tuple(_with_marks(part, before) for part in parts) if before else parts,
        elsewhere=elsewhere,
        replaced=tuple(replacements(arrival.before, paper, language)) if arrival.before else (),
        removed_sentences=_removed_sentences(parts, before, language),
        late=arrival.late and arrival.issue.first_arrival <= cursor,
        corrected=arrival.corrected,
    )


def _is_full(spec: MailSpec) -> bool:
    """Whether the mail shows the texts of its papers. A correction always does, because they are what was corrected."""
    return spec.detail == Detail.FULL or spec.kind == MailKind.CORRECTION


def _with_marks(part: Part, before: Sequence[Part]) -> Part:
    """The text with its new sentences marked. A sentence that only moved to another text is not new."""
    return with_new_sentences_marked(part, [block for old in before for block in old.blocks])


def _removed_sentences(parts: Sequence[Part], before: Sequence[Part], language: Language) -> int:
    old = [block for part in before if part.language in language.texts for block in part.blocks]
    return count_removed_sentences(parts, old)


def _titles(titles: dict[TextLanguage, str], language: Language) -> tuple[str, TextLanguage, str]:
    """Title, its language, and subtitle. Papers are known by their English title, so a Korean mail shows it too."""
    english = titles[TextLanguage.EN]
    if language.frame == TextLanguage.EN:
        return english, TextLanguage.EN, ""
    title = titles[language.frame]
    return (title, language.frame, english) if title else (english, TextLanguage.EN, "")


def _gists(paper: PaperContent, language: Language) -> tuple[Gist, ...]:
    """The gists in the mail's languages. A Korean mail has the English gist of a paper that has no Korean one."""
    found = [Gist(each, gist) for each in language.texts if (gist := paper.texts_in(each).gist)]
    if not found and language == Language.KO and paper.gist_en:
        found = [Gist(TextLanguage.EN, paper.gist_en)]
    return tuple(found)


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
