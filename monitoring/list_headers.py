"""The header fields of one-click unsubscribing (RFC 8058) and what a DKIM signature covers, as a receiver reads them. Pure."""

from email.message import Message

# What a signature must cover: who writes what (RFC 6376, 5.4), and both fields of RFC 8058, 4.
FIELDS_TO_SIGN = ("from", "subject", "list-unsubscribe", "list-unsubscribe-post")


def allows_one_click(headers: Message) -> bool:
    """Whether List-Unsubscribe-Post says that a POST is enough (RFC 8058, 3.1)."""
    return str(headers.get("List-Unsubscribe-Post", "")).strip() == "List-Unsubscribe=One-Click"


def unsubscribe_link(headers: Message) -> str:
    """The first web link in List-Unsubscribe, or an empty string. One-click needs https:// (RFC 8058, 3.1)."""
    links = (part.strip(" <>\r\n\t") for part in str(headers.get("List-Unsubscribe", "")).split(","))
    return next((link for link in links if link.startswith(("https://", "http://"))), "")


def unsigned_fields(signature: str) -> list[str]:
    """Which of FIELDS_TO_SIGN the tag `h` of a DKIM-Signature field leaves out."""
    covered = set(signature_tags(signature).get("h", "").lower().split(":"))
    return [name for name in FIELDS_TO_SIGN if name not in covered]


def signature_tags(signature: str) -> dict[str, str]:
    """The tags of a DKIM-Signature field without white space (RFC 6376, 3.2)."""
    parts = ("".join(part.split()).partition("=") for part in signature.split(";"))
    return {name: value for name, _, value in parts if name}
