"""Signed links: short tokens that say nothing readable, serve one purpose each and may grow old."""

import base64
import binascii
import hmac
from collections.abc import Callable
from datetime import date

_OPENINGS = {  # what is signed begins with the purpose
    purpose: purpose.encode() + b"\x00"
    for purpose in ("confirm", "move", "preferences", "unsubscribe", "bounce")
}
_DAYS_VALID = {"preferences": 30}  # of the purposes whose links grow old
_HANDLE, _DAY, _SIGNATURE = 8, 2, 8
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FIRST_DAY = date(2020, 1, 1).toordinal()


class LinkError(Exception):
    """The token was not made here, or for another purpose."""


class ExpiredLinkError(LinkError):
    """The token was made here, but too long ago; `handle` names whose it was."""

    def __init__(self, handle: str) -> None:
        super().__init__("this link is too old")
        self.handle = handle


def make_token(key: bytes, purpose: str, handle: str, today: date, about: str = "") -> str:
    """22 characters (24 where links grow old; RFC 4648, 5) naming a subscriber's `handle` for one purpose.

    A handle is 16 hexadecimal digits. `about` is what else the link stands for: it says nothing of it,
    and ends when that changes.
    """
    what = bytes.fromhex(handle)
    if purpose in _DAYS_VALID:
        what += (today.toordinal() - _FIRST_DAY).to_bytes(_DAY)
    return _spelled(key, purpose, what, about)


def read_token(
    key: bytes, purpose: str, token: str, today: date, about: Callable[[str], str] = lambda _: ""
) -> str:
    """The handle in a token; `about` tells by a handle what a link of this purpose is about now.

    Raises:
        LinkError: the token is no valid one for this purpose.
        ExpiredLinkError: it is too old.
    """
    what = _decoded(token)[:-_SIGNATURE]
    length = _HANDLE + _DAY if purpose in _DAYS_VALID else _HANDLE
    # Compared as a whole: base64 has several spellings for the same bytes, and only ours is valid.
    handle, day = what[:_HANDLE].hex(), int.from_bytes(what[_HANDLE:])
    spelled = _spelled(key, purpose, what, about(handle))
    if len(what) != length or not hmac.compare_digest(token.encode(), spelled.encode()):
        raise LinkError("this link is not valid")
    if purpose in _DAYS_VALID and _FIRST_DAY + day + _DAYS_VALID[purpose] < today.toordinal():
        raise ExpiredLinkError(handle)
    return handle


def _decoded(token: str) -> bytes:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _spelled(key: bytes, purpose: str, what: bytes, about: str) -> str:
    if purpose not in _OPENINGS:
        raise ValueError(f"no links are made for {purpose!r}")
    signed = _OPENINGS[purpose] + what + (b"\x00" + about.lower().encode() if about else b"")
    signature = hmac.digest(key, signed, "sha256")[:_SIGNATURE]
    spelled = binascii.b2a_base64(what + signature, newline=False).translate(_URL_SAFE)
    return spelled.rstrip(b"=").decode()
