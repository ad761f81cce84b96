"""What every mail shows around its own content: subject, links at the top and the end, house names."""

from dataclasses import dataclass
from functools import partial

from emails.rendering.i18n import say
from emails.rendering.placeholders import marker


@dataclass(frozen=True)
class Anchor:
    """A link with its words, and their language where it is not the mail's own."""

    label: str
    url: str
    language: str = ""


@dataclass(frozen=True)
class Page:
    """A mail as its templates see it; `top` and `bottom` are the links before and after its content,
    `ending` is its small print.

    `nonce` names the markers of what differs from reader to reader.
    """

    language: str
    nonce: str
    subject: str
    preheader: str
    top: tuple[Anchor, ...]
    bottom: tuple[Anchor, ...]
    ending: tuple[str, ...]

    @property
    def root_language(self) -> str:
        """The language of what has no other: a mail in both speaks Korean around its texts."""
        return "en" if self.language == "en" else "ko"

    @property
    def brand(self) -> str:
        """The newsletter's name."""
        return self.say("brand")

    @property
    def tagline(self) -> str:
        """What the newsletter is."""
        return self.say("tagline")

    @property
    def greeting(self) -> str:
        """The marker of the reader's greeting."""
        return marker(self.nonce, "greeting")

    def say(self, phrase: str, **values: object) -> str:
        """A phrase in the mail's language."""
        return say(self.language, phrase, **values)


def reader_links(language: str, nonce: str, web: str) -> tuple[tuple[Anchor, ...], tuple[Anchor, ...]]:
    """The links of a reader's mail: those at its top in one line, and those at its end in full."""
    here = partial(say, language)
    preferences, unsubscribe = marker(nonce, "preferences"), marker(nonce, "unsubscribe")
    top = (
        Anchor(here("web"), web),
        Anchor(here("preferences"), preferences),
        Anchor(here("unsubscribe"), unsubscribe),
    )
    other = {"ko": "en", "en": "ko"}.get(language)
    switch = (Anchor(here("switch"), preferences, other),) if other else ()
    bottom = (
        Anchor(here("change"), preferences),
        *switch,
        Anchor(here("pause"), preferences),
        Anchor(here("web"), web),
        Anchor(here("unsubscribe"), unsubscribe),
    )
    return top, bottom
