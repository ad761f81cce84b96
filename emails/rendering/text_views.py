"""The texts of a mail as its templates see them: in pairs of languages, and numbered, so that they can be measured and cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.languages import Language, TextLanguage
from emails.edition import Part
from emails.rendering.i18n import translate
from emails.rendering.width import shorten
from issues.parse.text import Block

MAX_HEADING_CHARACTERS = 300  # a longer heading is a mistake in the post


@dataclass(frozen=True)
class TextView:
    """A text of the mail: `index` is its number among all texts, `first` its first block's among all blocks."""

    index: int
    first: int
    language: TextLanguage
    heading: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class PairView:
    """A text in one language or in both, side by side. `index` is its number among all pairs."""

    index: int
    texts: tuple[TextView, ...]

    def is_shown(self, shown: Sequence[int]) -> bool:
        """Whether anything of the text is in the mail; `shown` says how many blocks of each text are."""
        return any(shown[text.index] for text in self.texts)


@dataclass(frozen=True)
class LeftOutView:
    """The texts of a kind in one issue: how the line about what was left out names their rest, and all of them."""

    index: int
    texts: tuple[TextView, ...]
    rest: str
    whole: str

    def is_begun(self, shown: Sequence[int]) -> bool:
        """Whether the mail has the beginning of a text of this kind."""
        return any(shown[text.index] for text in self.texts)


class TextNumbering:
    """Makes the views of a mail's texts, one after the other, and numbers texts, their blocks and what may be left out."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self._pairs = self._texts = self._blocks = self._left_outs = 0
        # The texts since the last call of `left_outs`, by the name of their kind.
        self._kinds: dict[str, list[TextView]] = {}

    def in_pairs(self, parts: Sequence[Part]) -> tuple[PairView, ...]:
        """The texts, each with the next one if that is the same in the other language."""
        pairs = []
        rest = list(parts)
        while rest:
            is_pair = len(rest) > 1 and _is_translation(rest[0], rest[1])
            own, rest = rest[: 1 + is_pair], rest[1 + is_pair :]
            pairs.append(PairView(self._pairs, tuple([self._text(part) for part in own])))
            self._pairs += 1
        return tuple(pairs)

    def _text(self, part: Part) -> TextView:
        text = TextView(
            index=self._texts,
            first=self._blocks,
            language=part.language,
            heading=shorten(part.heading, MAX_HEADING_CHARACTERS) or translate(part.language, part.name),
            blocks=part.blocks,
        )
        self._texts += 1
        self._blocks += len(part.blocks)
        self._kinds.setdefault(_kind_name(part, self._language), []).append(text)
        return text

    def left_outs(self) -> tuple[LeftOutView, ...]:
        """The kinds of the texts since the last call."""
        views = []
        for name, texts in self._kinds.items():
            rest = translate(self._language, "rest_of", part=name)
            views.append(LeftOutView(self._left_outs, tuple(texts), rest, whole=name))
            self._left_outs += 1
        self._kinds = {}
        return tuple(views)


def _is_translation(part: Part, other: Part) -> bool:
    return part.name == other.name and part.language != other.language


def _kind_name(part: Part, language: Language) -> str:
    """How the line about what was left out names texts like this one."""
    name = translate(language, part.name)
    if len(language.texts) == 1 or part.name in {"overview", "summary"}:
        return name
    return translate(
        language, "part_in", part=name, language=translate(language, f"language_{part.language}")
    )
