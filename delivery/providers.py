"""The large mailbox providers, each with the domains of its addresses. Each judges a sender by its own measure."""

from enum import StrEnum


class Provider(StrEnum):
    """A provider of mailboxes, as people call it."""

    GMAIL = "Gmail"
    NAVER = "Naver"
    KAKAO = "Kakao"
    OUTLOOK = "Outlook"
    YAHOO = "Yahoo"

    @property
    def domains(self) -> frozenset[str]:
        """The domains of its addresses."""
        return _DOMAINS[self]


_DOMAINS = {
    Provider.GMAIL: frozenset({"gmail.com", "googlemail.com"}),
    Provider.NAVER: frozenset({"naver.com"}),
    Provider.KAKAO: frozenset({"daum.net", "hanmail.net", "kakao.com"}),
    Provider.OUTLOOK: frozenset({"outlook.com", "outlook.kr", "hotmail.com", "live.com", "msn.com"}),
    Provider.YAHOO: frozenset({"yahoo.com", "yahoo.co.jp", "yahoo.co.uk", "ymail.com", "aol.com"}),
}


def provider_of(address: str) -> Provider | None:
    """The provider of an address, or None if it is not one of the large ones."""
    domain = address.rpartition("@")[2].lower()
    return next((provider for provider in Provider if domain in provider.domains), None)
