"""What operators read, in the language of their setting. The code says it in English, which is also what is stored.

`locale/ko.toml` has the Korean of each English sentence. Braces stand for what differs: `"{slot} stopped: {why}"`
translates every sentence of this form, and what the braces hold is translated in turn. So a reason that was stored
months ago can still be shown in either language.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

from core.languages import TextLanguage

LIST_SEPARATORS = {"; ": "; ", ", no ": ", "}  # between the reasons in one sentence, in English and in Korean
CODE = "`"  # before and after a command, whose words are not translated
# Their sentences are so general that they would match the words of a server.
FINDING_TABLES = {"doctor", "probe"}


def translate(language: TextLanguage, text: str, /, **values: object) -> str:
    """A sentence in a language, with its braces filled in. A sentence that nobody has translated stays English.

    With values, `text` is a sentence of the catalogue with braces. Without, it may also be one that is filled in.
    """
    if language == TextLanguage.KO:
        return _korean().translated(text, values)
    return text.format_map(values) if values else text


def translate_finding(language: TextLanguage, text: str) -> str:
    """A part of a finding of the doctor or of a probe in a language."""
    return _korean_of_findings().translated(text, {}) if language == TextLanguage.KO else text


@cache
def catalogue() -> dict[str, str]:
    """The Korean of each English sentence. Apart from FINDING_TABLES, the tables only put the sentences in order."""
    return _korean_of_findings().sentences


@cache
def _korean() -> "_Catalogue":
    return _Catalogue({name: table for name, table in _tables().items() if name not in FINDING_TABLES})


@cache
def _korean_of_findings() -> "_Catalogue":
    return _Catalogue(_tables())


def _tables() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("monitoring").joinpath("locale", "ko.toml").read_text(encoding="utf-8"))


class _Catalogue:
    """Sentences with their translations, and how they are found for a text."""

    def __init__(self, tables: Mapping[str, Mapping[str, str]]) -> None:
        self.sentences = {english: korean for table in tables.values() for english, korean in table.items()}

    def translated(self, text: str, values: Mapping[str, object]) -> str:
        """The translation of a sentence with these values in its braces, or of one that is filled in."""
        if values:
            shown = {
                name: self._filled_in(value) if isinstance(value, str) else value
                for name, value in values.items()
            }
            return _formatted(self.sentences.get(text, text), values, shown)
        return self.sentences.get(text) or self._filled_in(text)

    def _filled_in(self, text: str) -> str:
        """The translation of a sentence whose braces are filled in already."""
        if exact := self.sentences.get(text):
            return exact
        for pattern in self._patterns:
            values = pattern.match(text)
            if values is not None:
                shown = {name: self._filled_in(value) for name, value in values.items()}
                return _formatted(self.sentences[pattern.sentence], values, shown)
        for english, korean in LIST_SEPARATORS.items():
            if english in text:
                return korean.join(map(self._filled_in, text.split(english)))
        return text

    @cached_property
    def _patterns(self) -> tuple["_Pattern", ...]:
        """The sentences with braces and words around them, those with the longest fixed text first: they say most."""
        found = [_Pattern(sentence) for sentence in self.sentences if "{" in sentence]
        return tuple(
            sorted((each for each in found if each.fixed.strip()), key=lambda each: -len(each.fixed))
        )


def _formatted(sentence: str, raw: Mapping[str, object], shown: Mapping[str, object]) -> str:
    """A sentence with its braces filled in: with the raw values in commands, with translated ones elsewhere."""
    pieces = sentence.split(CODE)
    return CODE.join(piece.format_map(raw if index % 2 else shown) for index, piece in enumerate(pieces))


@dataclass(frozen=True)
class _Pattern:
    """A sentence with braces, which recognises what it looks like when they are filled in."""

    sentence: str

    @cached_property
    def pieces(self) -> list[str]:
        """The fixed texts before, between and after the braces."""
        return re.split(r"\{\w+\}", self.sentence)

    @property
    def fixed(self) -> str:
        """All fixed texts together."""
        return "".join(self.pieces)

    @cached_property
    def names(self) -> list[str]:
        """The names in the braces, in order."""
        return re.findall(r"\{(\w+)\}", self.sentence)

    def match(self, text: str) -> dict[str, str] | None:
        """What the braces hold in a text of this form, or None. It takes linear time, because it never goes back."""
        first, *between, last = self.pieces
        if not (text.startswith(first) and text.endswith(last)):
            return None
        held = list(self._held(text[len(first) : len(text) - len(last)], between))
        return (
            dict(zip(self.names, held, strict=True)) if len(held) == len(self.names) and all(held) else None
        )

    @staticmethod
    def _held(text: str, between: list[str]) -> Iterator[str]:
        for piece in between:
            value, found, text = text.partition(piece)
            if not found:
                return
            yield value
        yield text
