"""The languages that subscribers choose and that texts are written in."""

from enum import StrEnum
from typing import assert_never


class TextLanguage(StrEnum):
    """The language of one text of a post or of a page."""

    KO = "ko"
    EN = "en"

    @property
    def other(self) -> "TextLanguage":
        """The language of the texts that an issue can have and a mail in this language lacks."""
        match self:
            case TextLanguage.KO:
                return TextLanguage.EN
            case TextLanguage.EN:
                return TextLanguage.KO
            case _:
                assert_never(self)


class Language(StrEnum):
    """What a subscriber chooses to read: one language, or both."""

    KO = "ko"
    EN = "en"
    BOTH = "both"

    @property
    def texts(self) -> tuple[TextLanguage, ...]:
        """The languages of the texts in a mail in this language, in reading order."""
        return _TEXTS[self]

    @property
    def frame(self) -> TextLanguage:
        """The language of everything around the papers: a mail in both languages is framed in Korean."""
        return _TEXTS[self][0]


_TEXTS: dict[Language, tuple[TextLanguage, ...]] = {
    Language.KO: (TextLanguage.KO,),
    Language.EN: (TextLanguage.EN,),
    Language.BOTH: (TextLanguage.KO, TextLanguage.EN),
}
