"""What every mail shows around its own content: subject, preheader, links at the top and at the bottom."""

from dataclasses import dataclass
from functools import partial

from core.languages import Language, TextLanguage
from emails.placeholders import GREETING, placeholder
from emails.rendering.i18n import translate
from subscribers.tokens import LinkPurpose


@dataclass(frozen=True)
class LinkText:
    """A link with its text, and the language of the text where it is not the mail's own."""

    label: str
    url: str
    language: TextLanguage | None = None


@dataclass(frozen=True)
class MailView:
    """A mail as its templates see it.

    `top` and `bottom` are the links before and after the content, `footer` is the small print. `nonce` marks the
    placeholders for what differs between recipients.
    """

    language: Language
    nonce: str
    subject: str
    preheader: str
    top: tuple[LinkText, ...]
    bottom: tuple[LinkText, ...]
    footer: tuple[str, ...]

    @property
    def root_language(self) -> TextLanguage:
        """The language of the document. Texts in the other language are marked."""
        return self.language.frame

    @property
    def brand(self) -> str:
        """The newsletter's name."""
        return self.translate("brand")

    @property
    def tagline(self) -> str:
        """What the newsletter is."""
        return self.translate("tagline")

    @property
    def greeting(self) -> str:
        """The placeholder of the recipient's greeting."""
        return placeholder(self.nonce, GREETING)

    def translate(self, phrase: str, **values: object) -> str:
        """A phrase in the mail's language."""
        return translate(self.language, phrase, **values)


def subscriber_links(
    language: Language, nonce: str, web_url: str
) -> tuple[tuple[LinkText, ...], tuple[LinkText, ...]]:
    """The links of a subscriber's mail: those in the line at its top, and all of them for its bottom."""
    text = partial(translate, language)
    preferences = placeholder(nonce, LinkPurpose.PREFERENCES)
    unsubscribe = placeholder(nonce, LinkPurpose.UNSUBSCRIBE)
    top = (
        LinkText(text("web"), web_url),
        LinkText(text("preferences"), preferences),
        LinkText(text("unsubscribe"), unsubscribe),
    )
    missing = [other for other in TextLanguage if other not in language.texts]
    switch = tuple(LinkText(translate(other, "switch"), preferences, other) for other in missing)
    bottom = (
        LinkText(text("change"), preferences),
        *switch,
        LinkText(text("pause"), preferences),
        LinkText(text("web"), web_url),
        LinkText(text("unsubscribe"), unsubscribe),
    )
    return top, bottom
