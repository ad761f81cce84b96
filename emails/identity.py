"""Who sends: the sender's address and domain, where the pages are, and the keys that sign links and mails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cached_property
from types import MappingProxyType

from core.languages import TextLanguage
from emails.mime.dkim_signing import DkimSigner
from subscribers.tokens import LinkPurpose

LINK_PATHS = {
    LinkPurpose.CONFIRM: "c",
    LinkPurpose.MOVE: "m",
    LinkPurpose.PREFERENCES: "p",
    LinkPurpose.UNSUBSCRIBE: "u",
}

FORUM_NAMES: Mapping[TextLanguage, str] = MappingProxyType(
    {TextLanguage.KO: "파이토치 한국 사용자 모임", TextLanguage.EN: "the PyTorch Korea user group"}
)


@dataclass(frozen=True)
class MailIdentity:
    """What all mails of an installation share. Without a `signer`, signing is left to the mail server.

    `key` signs the links. `old_keys` signed links before, of which only those to unsubscribe still work.

    `name` is the newsletter's, `forum_names` the forum's by language. `contact` is the address that readers write to,
    `postal_address` one line for the footer, and `reply_to` the address of the Reply-To header; each can be empty.
    """

    sender: str
    base_url: str
    key: bytes = field(repr=False)
    signer: DkimSigner | None = None
    name: str = "Paperboy"
    forum_names: Mapping[TextLanguage, str] = field(default_factory=lambda: FORUM_NAMES)
    old_keys: tuple[bytes, ...] = field(default=(), repr=False)
    contact: str = ""
    postal_address: str = ""
    reply_to: str = ""

    @property
    def address(self) -> str:
        """The sender's address."""
        return parseaddr(self.sender)[1]

    @property
    def unsubscribe_keys(self) -> tuple[bytes, ...]:
        """The keys that links to unsubscribe may be signed with: the present one, and those before it."""
        return (self.key, *self.old_keys)

    @property
    def archive(self) -> str:
        """The address of the issues on the web."""
        return f"{self.base_url}/archive"

    @cached_property
    def domain(self) -> str:
        """The sender's domain, in ASCII (IDNA)."""
        return ascii_address(self.address).rpartition("@")[2]

    @property
    def owner(self) -> str:
        """Whom a program may offer to write to about the list, in ASCII: the contact, or else the sender."""
        return ascii_address(self.contact or self.address)


def ascii_address(address: str) -> str:
    """The address with its domain in ASCII (IDNA)."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.encode('idna').decode()}"
