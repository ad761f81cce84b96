"""DKIM signatures (RFC 6376), for installations whose mail server does not sign.

Our bytes are canonical when they are written, so a body is signed as it is (`simple`). Header fields are signed in
their relaxed form, because mail servers fold them anew. An RSA signature then takes most of the time.
"""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.errors import PaperboyError

SIGNED_HEADERS = (b"message-id", b"mime-version", b"content-type", b"feedback-id")
# RFC 6376, 8.15: each of these is named once more than it occurs, so that nobody can add another one.
# RFC 8058, 4: the signature must cover both fields of one-click unsubscribing, which are among them.
OVERSIGNED_HEADERS = (
    b"from", b"to", b"subject", b"date", b"reply-to", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post",
    b"list-help", b"list-owner", b"list-archive", b"list-post",
)  # fmt: skip
_END_OF_FIELD = re.compile(rb"\r\n(?![ \t])")
_FOLD = b"\r\n "
_NAMES_IN_A_LINE = 4
_LINE_CHARACTERS = 72


class DkimKeyError(PaperboyError):
    """The DKIM key cannot be used. One line says what is wrong."""


@dataclass(frozen=True)
class DkimKey:
    """A private key, whose public key is published under `selector`. `sign` takes the bytes to be signed.

    `public_key` is what the record in the DNS holds: a SubjectPublicKeyInfo of RSA (RFC 6376, 3.6.1), or the 32 bytes
    of Ed25519 (RFC 8463, 4.2).
    """

    selector: str
    public_key: bytes
    algorithm: str
    sign: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True)
class DkimSigner:
    """Signs with each of its keys: one algorithm for every receiver and one for modern ones, or an old and a new key."""

    keys: tuple[DkimKey, ...]

    def signatures(self, headers: bytes, body_hash: bytes, domain: str, now: datetime) -> bytes:
        """A DKIM-Signature field for each key, as of `now`.

        `headers` are the header fields as they are written, and `body_hash` is the SHA-256 of all that follows the
        empty line after them. The body ends with exactly one line break.
        """
        names, signed = _signed_fields(headers)
        return b"".join(self._fields(names, signed, body_hash, domain, now))

    def _fields(
        self, names: Sequence[bytes], signed: bytes, body_hash: bytes, domain: str, now: datetime
    ) -> Iterator[bytes]:
        for key in self.keys:
            start = _FOLD.join(
                (
                    f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/simple;".encode(),
                    f"d={domain}; s={key.selector}; t={int(now.timestamp())};".encode(),
                    b"h=" + _folded_names(names) + b";",
                    b"bh=" + base64.b64encode(body_hash) + b";",
                    b"b=",
                )
            )
            yield start + _folded(base64.b64encode(key.sign(signed + _relaxed(start)))) + b"\r\n"


def _signed_fields(headers: bytes) -> tuple[list[bytes], bytes]:
    """The names of the fields that are signed, as often as the signature names them, and their canonical form."""
    fields: dict[bytes, list[bytes]] = {}
    for written in _END_OF_FIELD.split(headers.removesuffix(b"\r\n")):
        name = written.partition(b":")[0].lower()
        fields.setdefault(name, []).append(written)
    names: list[bytes] = []
    canonical: list[bytes] = []
    for name in (*SIGNED_HEADERS, *OVERSIGNED_HEADERS):
        found = fields.get(name, [])
        names += [name] * (len(found) + (name in OVERSIGNED_HEADERS))
        canonical += [_relaxed(written) + b"\r\n" for written in reversed(found)]  # from the last one (5.4.2)
    return names, b"".join(canonical)


def _relaxed(written: bytes) -> bytes:
    """A field in the canonical form `relaxed` without its line break (RFC 6376, 3.4.2)."""
    name, _, value = written.partition(b":")
    return name.rstrip().lower() + b":" + b" ".join(value.split())


def _folded_names(names: Sequence[bytes]) -> bytes:
    starts = range(0, len(names), _NAMES_IN_A_LINE)
    return (b":" + _FOLD).join(b":".join(names[start : start + _NAMES_IN_A_LINE]) for start in starts)


def _folded(value: bytes) -> bytes:
    starts = range(0, len(value), _LINE_CHARACTERS)
    return _FOLD.join(value[start : start + _LINE_CHARACTERS] for start in starts)
