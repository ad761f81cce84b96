"""Who sends: the sender's address and domain, where the pages are, and the keys that sign links and mails."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from functools import cached_property

from emails.mime.dkim_signing import DkimSigner
from subscribers.tokens import LinkPurpose

LINK_PATHS = {
    LinkPurpose.CONFIRM: "c",
    LinkPurpose.MOVE: "m",
    LinkPurpose.PREFERENCES: "p",
    LinkPurpose.UNSUBSCRIBE: "u",
}


@dataclass(frozen=True)
class MailIdentity:
    """What all mails of an installation share. Without a `signer`, signing is left to the mail server."""

    sender: str
    base_url: str
    key: bytes = field(repr=False)
    signer: DkimSigner | None = None

    @property
    def address(self) -> str:
        """The sender's address."""
        return parseaddr(self.sender)[1]

    @property
    def archive(self) -> str:
        """The address of the issues on the web."""
        return f"{self.base_url}/archive"

    @cached_property
    def domain(self) -> str:
        """The sender's domain, in ASCII (IDNA)."""
        return self.address.rpartition("@")[2].encode("idna").decode()
