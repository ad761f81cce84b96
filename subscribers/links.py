"""Signed links: 128-bit tokens that say nothing readable and serve one purpose each."""

import base64
import hashlib
import hmac

_PURPOSES = ("confirm", "preferences", "unsubscribe", "bounce")
_HANDLE, _SIGNATURE = 8, 8


class LinkError(Exception):
    """The token was not made here, or for another purpose."""


def make_token(key: bytes, purpose: str, handle: str) -> str:
    """22 characters (RFC 4648, 5) naming a subscriber's `handle` (16 hex digits) for one purpose."""
    raw = bytes.fromhex(handle)
    return base64.urlsafe_b64encode(raw + _sign(key, purpose, raw)).rstrip(b"=").decode()


def read_token(key: bytes, purpose: str, token: str) -> str:
    """The handle in a token.

    Raises:
        LinkError: the token is no valid one for this purpose.
    """
    try:
        handle = base64.b64decode(token + "==", altchars=b"-_", validate=True)[:_HANDLE].hex()
    except ValueError:
        raise LinkError("this link is not valid") from None
    # Compared as a whole: base64 has several spellings for the same bytes, and only ours is valid.
    if not hmac.compare_digest(token, make_token(key, purpose, handle)):
        raise LinkError("this link is not valid")
    return handle


def _sign(key: bytes, purpose: str, handle: bytes) -> bytes:
    if purpose not in _PURPOSES:
        raise ValueError(f"no links are made for {purpose!r}")
    return hmac.new(key, purpose.encode() + b"\x00" + handle, hashlib.sha256).digest()[:_SIGNATURE]
