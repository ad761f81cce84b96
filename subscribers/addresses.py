"""Email addresses and names as people type them, in the form in which they are stored and mailed."""

import re

from email_validator import EmailNotValidError, validate_email

from core.characters import storable
from core.errors import PaperboyError

MAX_NAME_LENGTH = 80
_UNSAFE_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f<>\"]+")


class AccountError(PaperboyError):
    """An account cannot be changed as asked. The message is for the person who asked."""


def normal_address(address: str) -> str:
    """The address in the form that is stored and mailed: its domain is in IDNA (ASCII) and in lower case.

    Raises:
        AccountError: it is not an address, or its local part needs SMTPUTF8 (RFC 6531).
    """
    try:
        found = validate_email(address.strip(), check_deliverability=False, allow_smtputf8=True, strict=True)
    except EmailNotValidError as error:
        raise AccountError(f"{address.strip()!r} is not an address that can be mailed: {error}") from None
    if "=?" in found.local_part:  # some servers decode words in addresses (RFC 2047), which could add lines
        raise AccountError(f"{address.strip()!r} looks like an encoded word and not like an address")
    if not found.local_part.isascii():
        raise AccountError(
            f"{address.strip()!r} has letters before the @ that mail servers refuse; use plain letters"
        )
    return f"{found.local_part}@{found.ascii_domain}"


def clean_line(text: str, max_length: int) -> str:
    """One line of at most `max_length` characters, without anything that could be more than text in a mail."""
    return " ".join(_UNSAFE_IN_A_LINE.sub(" ", storable(text)).split())[:max_length]


def mask_address(address: str) -> str:
    """An address that an operator recognises and nobody else does."""
    local, _, domain = address.rpartition("@")
    return f"{local[:2]}…@{domain}"
