"""Signed tokens for links: short, with nothing readable in them, each for one purpose; some expire."""

import base64
import binascii
import hmac
from collections.abc import Callable
from datetime import date
from enum import StrEnum

from core.errors import PaperboyError


class LinkPurpose(StrEnum):
    """What a link or an address with a token is for."""

    CONFIRM = "confirm"
    MOVE = "move"
    PREFERENCES = "preferences"
    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"


_SIGNED_PREFIX = {purpose: purpose.encode() + b"\x00" for purpose in LinkPurpose}
_DAYS_VALID = {LinkPurpose.PREFERENCES: 30}  # the other purposes have links that never expire
_HANDLE_BYTES, _DAY_BYTES, _SIGNATURE_BYTES = 8, 2, 8
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FIRST_DAY = date(2020, 1, 1).toordinal()


class TokenError(PaperboyError):
    """The token was not made here, or was made for another purpose."""


class ExpiredTokenError(TokenError):
    """The token was made here, but too long ago. `handle` names whose it was."""

    def __init__(self, handle: str) -> None:
        super().__init__("this link is too old")
        self.handle = handle


def make_token(key: bytes, purpose: LinkPurpose, handle: str, today: date, about: str = "") -> str:
    """A token of 22 characters (24 if it expires; RFC 4648, 5) that names a subscriber's `handle`.

    A handle has 16 hexadecimal digits. `about` is what else the link is about, such as an address. The token
    does not reveal it, and it stops being valid when that changes.
    """
    payload = bytes.fromhex(handle)
    if purpose in _DAYS_VALID:
        payload += (today.toordinal() - _FIRST_DAY).to_bytes(_DAY_BYTES)
    return _encode(key, purpose, payload, about)


def read_token(
    key: bytes, purpose: LinkPurpose, token: str, today: date, about: Callable[[str], str] = lambda _: ""
) -> str:
    """The handle in a token. `about` returns, for a handle, what its link would be about now.

    Raises:
        TokenError: the token is not valid for this purpose.
        ExpiredTokenError: it is too old.
    """
    payload = _decode(token)[:-_SIGNATURE_BYTES]
    length = _HANDLE_BYTES + _DAY_BYTES if purpose in _DAYS_VALID else _HANDLE_BYTES
    handle, day = payload[:_HANDLE_BYTES].hex(), int.from_bytes(payload[_HANDLE_BYTES:])
    # The whole token is compared: base64 can write the same bytes in several ways, and only ours is valid.
    expected = _encode(key, purpose, payload, about(handle))
    if len(payload) != length or not hmac.compare_digest(token.encode(), expected.encode()):
        raise TokenError("this link is not valid")
    if purpose in _DAYS_VALID and _FIRST_DAY + day + _DAYS_VALID[purpose] < today.toordinal():
        raise ExpiredTokenError(handle)
    return handle


def _decode(token: str) -> bytes:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _encode(key: bytes, purpose: LinkPurpose, payload: bytes, about: str) -> str:
    signed = _SIGNED_PREFIX[purpose] + payload + (b"\x00" + about.lower().encode() if about else b"")
    signature = hmac.digest(key, signed, "sha256")[:_SIGNATURE_BYTES]
    encoded = binascii.b2a_base64(payload + signature, newline=False).translate(_URL_SAFE)
    return encoded.rstrip(b"=").decode()
