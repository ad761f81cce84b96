"""DKIM signatures (RFC 6376), for installations whose mail server does not sign."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import PaperboyError

# RFC 8058, 4: the signature must cover both fields of one-click unsubscribing.
SIGNED_HEADERS = (b"message-id", b"mime-version", b"content-type", b"feedback-id")
# RFC 6376, 8.15: each of these is named once more than it occurs, so that nobody can add another one.
OVERSIGNED_HEADERS = (
    b"from", b"to", b"subject", b"date", b"reply-to", b"list-id", b"list-unsubscribe", b"list-unsubscribe-post",
    b"list-help", b"list-owner", b"list-archive", b"list-post",
)  # fmt: skip
_FIELD_NAME = re.compile(rb"^([!-9;-~]+):", re.MULTILINE)


class DkimKeyError(PaperboyError):
    """The DKIM key cannot be used. One line says what is wrong."""


@dataclass(frozen=True)
class DkimSigner:
    """Signs for a domain with an RSA private key (PEM), whose public key is published under `selector`."""

    selector: str
    key: bytes = field(repr=False)

    def signature(self, data: bytes, domain: str) -> bytes:
        """The DKIM-Signature field of a message."""
        import dkim  # noqa: PLC0415  it brings cryptography, which only signing installations need

        signed: bytes = dkim.sign(
            data,
            self.selector.encode(),
            domain.encode(),
            self.key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=_names_to_sign(data),
        )
        return signed


def _names_to_sign(data: bytes) -> list[bytes]:
    """The names of the fields that the signature covers, as often as it names them."""
    present = Counter(name.lower() for name in _FIELD_NAME.findall(data.partition(b"\r\n\r\n")[0]))
    names = [name for name in SIGNED_HEADERS for _ in range(present[name])]
    return names + [name for name in OVERSIGNED_HEADERS for _ in range(present[name] + 1)]


def load_signer(selector: str, key_file: Path) -> DkimSigner:
    """The signer with the key in a file, after one trial signature.

    Raises:
        DkimKeyError: the file cannot be read, or does not hold an RSA private key.
    """
    from dkim import DKIMException  # noqa: PLC0415  as above

    try:
        signer = DkimSigner(selector, key_file.read_bytes())
        signer.signature(b"From: a@example.org\r\n\r\n", "example.org")
    except OSError as error:
        raise DkimKeyError(f"PAPERBOY_DKIM_KEY_FILE cannot be read: {error.strerror}") from None
    except (DKIMException, ValueError):
        raise DkimKeyError(
            f"PAPERBOY_DKIM_KEY_FILE: {key_file} does not hold an RSA private key in PEM"
        ) from None
    return signer
