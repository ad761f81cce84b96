"""The languages that subscribers choose and that texts are written in."""

from enum import StrEnum


class TextLanguage(StrEnum):
    """The language of one text of a post or of a page."""

    KO = "ko"
    EN = "en"


class Language(StrEnum):
    """What a subscriber chooses to read: one language, or both."""

    KO = "ko"
    EN = "en"
    BOTH = "both"

    @property
    def texts(self) -> tuple[TextLanguage, ...]:
        """The languages of the texts that a mail in this language holds, in reading order."""
        return _TEXTS[self]

    @property
    def frame(self) -> TextLanguage:
        """The language of everything around the papers: a mail in both languages is framed in Korean."""
        return _TEXTS[self][0]


_TEXTS = {
    Language.KO: (TextLanguage.KO,),
    Language.EN: (TextLanguage.EN,),
    Language.BOTH: (TextLanguage.KO, TextLanguage.EN),
}
