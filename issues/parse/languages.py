"""Which language each block of a text is in: by what it stands in, by its place, and by its letters.

In every section of a post Korean comes first and English, if any, after it; since 2026 English stands in a quote. A
block whose letters leave no doubt is in their language. Any other block (a formula, an address, a row of numbers, a
line of names, a sentence that mixes both) takes the language of what it stands in or comes after.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from core.languages import TextLanguage
from issues.parse.outline import Item
from issues.parse.text import HANGUL, Block, TextRun, lines_of, tidy

SYLLABLE_WEIGHT = 2.5  # a Hangul syllable says about as much as so many Latin letters
MIN_KOREAN_SHARE = (
    0.3  # from which a block is Korean without doubt; Korean sentences can be mostly Latin names
)
MAX_KOREAN_SHARE = 0.12  # up to which an English sentence can have Korean names
MIN_ENGLISH_WORDS = 8  # of a passage without a full stop; fewer are a name, a title or a formula
MIN_ENGLISH_PASSAGE = (
    200  # characters of an English passage between Korean ones that is more than a quotation
)

_WORD = re.compile(r"[A-Za-z]{2,}")
_SENTENCE_END = re.compile(r"[.!?:;…][\"')\]”’»]*$")


@dataclass
class _Passage:
    """Blocks that share one language: a paragraph, or all entries of a list."""

    items: list[Item]
    language: TextLanguage | None
    is_quoted: bool

    @property
    def length(self) -> int:
        return sum(len(item.text) for item in self.items)


def split_by_language(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The Korean and the English items of one section, each in order."""
    passages = list(_passages([part for item in items for part in _at_line_break(item)]))
    _decide_by_quotes(passages)
    _decide_quotations(passages)
    _decide_rest(passages)
    korean = [item for passage in passages if passage.language == TextLanguage.KO for item in passage.items]
    english = [item for passage in passages if passage.language == TextLanguage.EN for item in passage.items]
    return korean, english


def has_language(items: Sequence[Item]) -> bool:
    """Whether a section says anything in a language. One of links, code or numbers alone is for all readers."""
    return any(passage.language for passage in _passages(items))


def language_of(blocks: Iterable[Block]) -> TextLanguage | None:
    """The language that the letters of a text leave no doubt about, if they do."""
    words = " ".join(
        run.text for block in blocks for run in block.runs if not (run.code or run.math or run.href)
    )
    hangul = SYLLABLE_WEIGHT * len(HANGUL.findall(words))
    latin = sum(character.isascii() and character.isalpha() for character in words)
    share = hangul / (hangul + latin) if hangul else 0.0
    if share >= MIN_KOREAN_SHARE:
        return TextLanguage.KO
    has_sentence = len(_WORD.findall(words)) >= MIN_ENGLISH_WORDS or _SENTENCE_END.search(words.strip())
    if share <= MAX_KOREAN_SHARE and _WORD.search(words) and has_sentence:
        return TextLanguage.EN
    return None


def _at_line_break(item: Item) -> list[Item]:
    """A paragraph as two items if a line break is all that parts its Korean from as long an English text."""
    if item.block.type != "p" or "\n" not in item.text:
        return [item]
    lines = [Block("p", tuple(line)) for line in lines_of(item.block.runs)]
    languages = [language_of([line]) for line in lines]
    if [language for language, _ in groupby(filter(None, languages))] != [TextLanguage.KO, TextLanguage.EN]:
        return [item]
    cut = languages.index(TextLanguage.EN)
    korean, english = (replace(item, block=_joined(part)) for part in (lines[:cut], lines[cut:]))
    return [korean, english] if len(korean.text) <= len(english.text) else [item]


def _joined(lines: Sequence[Block]) -> Block:
    return Block("p", tidy(run for line in lines for run in (*line.runs, TextRun("\n"))))


def _passages(items: Sequence[Item]) -> Iterator[_Passage]:
    """The items as passages: a list is one, if its entries do not clearly differ."""
    for is_list, group in groupby(items, key=_list_key):
        found = list(group)
        if is_list and _differs(found):
            yield from (_passage([item]) for item in found)
        elif is_list:
            yield _passage(found)
        else:
            yield from (_passage([item]) for item in found)


def _list_key(item: Item) -> tuple[bool, ...]:
    return (True, item.is_quoted) if item.kind == "block" and item.block.type == "li" else ()


def _differs(entries: Sequence[Item]) -> bool:
    """Whether a list changes its language once, from Korean to English, as two lists without a text between do."""
    languages = [language for item in entries if (language := language_of([item.block]))]
    changes = [(one, other) for one, other in pairwise(languages) if one != other]
    return changes == [(TextLanguage.KO, TextLanguage.EN)] and languages.count(TextLanguage.EN) > 1


def _passage(items: list[Item]) -> _Passage:
    blocks = [item.block for item in items]
    is_table_of_values = all(block.type == "table" for block in blocks) and not any(
        HANGUL.search(block.text) for block in blocks
    )
    language = None if is_table_of_values else language_of(blocks)
    return _Passage(items, language, any(item.is_quoted for item in items))


def _decide_by_quotes(passages: Sequence[_Passage]) -> None:
    """Where English stands in a quote, a passage outside with Korean in it is Korean, whatever names it lists."""
    quotes = [passage for passage in passages if passage.is_quoted]
    has_korean_outside = any(p.language == TextLanguage.KO for p in passages if not p.is_quoted)
    for passage in quotes:
        if has_korean_outside and _is_latin(passage) and _has_words(passage):
            passage.language = TextLanguage.EN
    quoted = {passage.language for passage in quotes}
    if TextLanguage.EN in quoted and TextLanguage.KO not in quoted:
        for passage in passages:
            if not passage.is_quoted and _has_hangul(passage):
                passage.language = TextLanguage.KO


def _decide_quotations(passages: Sequence[_Passage]) -> None:
    """A short English passage between Korean ones, outside a quote, belongs to the Korean text."""
    korean = [index for index, passage in enumerate(passages) if passage.language == TextLanguage.KO]
    if not korean:
        return
    for index, passage in enumerate(passages):
        is_between = korean[0] < index < korean[-1]
        is_short = passage.length <= MIN_ENGLISH_PASSAGE
        if passage.language == TextLanguage.EN and is_between and is_short and not passage.is_quoted:
            passage.language = TextLanguage.KO


def _decide_rest(passages: Sequence[_Passage]) -> None:
    """A passage in doubt goes with its quote, with what it comes after, or with what follows it."""
    quotes = [passage for passage in passages if passage.is_quoted]
    is_korean_quoted = len(quotes) == len(passages) or any(p.language == TextLanguage.KO for p in quotes)
    before: TextLanguage | None = None
    following: list[TextLanguage | None] = []
    nearest: TextLanguage | None = None
    for passage in reversed(passages):
        following.append(nearest)
        nearest = passage.language or nearest
    for passage, after in zip(passages, reversed(following), strict=True):
        if passage.language is None and passage.is_quoted and not is_korean_quoted and _is_latin(passage):
            passage.language = TextLanguage.EN
        elif passage.language is None:
            passage.language = (
                before or (TextLanguage.KO if _has_hangul(passage) else after) or TextLanguage.KO
            )
        before = passage.language


def _has_hangul(passage: _Passage) -> bool:
    return any(HANGUL.search(item.text) for item in passage.items)


def _has_words(passage: _Passage) -> bool:
    """Whether a passage says something, and is not a formula, code or an address."""
    runs = (run for item in passage.items for run in item.block.runs)
    return any(_WORD.search(run.text) for run in runs if not (run.code or run.math or run.href))


def _is_latin(passage: _Passage) -> bool:
    """Whether a passage has words in Latin letters, and few others."""
    text = " ".join(item.text for item in passage.items)
    return bool(_WORD.search(text)) and len(HANGUL.findall(text)) * SYLLABLE_WEIGHT < len(text) / 2
