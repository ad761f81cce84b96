"""What every mail shows around its own content: subject, preheader, masthead and footer."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language, TextLanguage
from emails.content import MailSpec
from emails.identity import MailIdentity
from emails.placeholders import GREETING, placeholder
from emails.rendering.i18n import translate
from subscribers.tokens import LinkPurpose


@dataclass(frozen=True)
class LinkText:
    """A link with its text, or a text alone; and the language of the text where it is not the mail's own."""

    label: str
    url: str = ""
    language: TextLanguage | None = None


Line = tuple[LinkText, ...]


@dataclass(frozen=True)
class MailView:
    """A mail as its templates see it.

    `masthead` stands beside the newsletter's name, and `footer` below everything, each as lines of texts and links.
    `nonce` marks the placeholders for what differs between recipients.
    """

    language: Language
    nonce: str
    brand: str
    subject: str
    preheader: str
    masthead: Line
    footer: tuple[Line, ...]

    @property
    def root_language(self) -> TextLanguage:
        """The language of the document. Texts in the other language are marked."""
        return self.language.frame

    @property
    def greeting(self) -> str:
        """The placeholder of the recipient's greeting."""
        return placeholder(self.nonce, GREETING)

    def translate(self, phrase: str, **values: object) -> str:
        """A phrase in the mail's language."""
        return translate(self.language, phrase, **values)


def digest_footer(spec: MailSpec, nonce: str, identity: MailIdentity, why: str) -> tuple[Line, ...]:
    """The footer of a mail with papers: why it comes, how to change or end that, and who sends it."""
    text = partial(translate, spec.language)
    unsubscribe = placeholder(nonce, LinkPurpose.UNSUBSCRIBE)
    choices = (*_choices(spec, nonce), LinkText(text("unsubscribe"), unsubscribe))
    forwarded = (LinkText(text("forwarded")), LinkText(text("subscribe"), f"{identity.base_url}/"))
    return ((LinkText(why),), choices, forwarded, *sender_lines(spec.language, identity))


def _choices(spec: MailSpec, nonce: str) -> Iterator[LinkText]:
    """The links to what a subscriber can choose instead of what they have."""
    preferences = placeholder(nonce, LinkPurpose.PREFERENCES)
    text = partial(translate, spec.language)
    yield LinkText(
        text("choose_weekly" if spec.frequency == Frequency.DAILY else "choose_daily"), preferences
    )
    yield LinkText(text("choose_brief" if spec.detail == Detail.FULL else "choose_full"), preferences)
    for other in TextLanguage:
        if other not in spec.language.texts:
            yield LinkText(translate(other, "choose_language"), preferences, other)
    yield LinkText(text("pause"), preferences)


def sender_lines(language: Language, identity: MailIdentity) -> Iterator[Line]:
    """Who sends a mail, and how they can be reached."""
    tagline = translate(language, "tagline", forum=identity.forum_names[language.frame])
    yield (LinkText(f"{identity.name} · {tagline}"),)
    contact = (LinkText(identity.contact, f"mailto:{identity.contact}"),) if identity.contact else ()
    address = (LinkText(identity.postal_address),) if identity.postal_address else ()
    privacy = LinkText(translate(language, "privacy"), f"{identity.base_url}/privacy")
    yield (*address, *contact, privacy)
