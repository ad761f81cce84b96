"""DKIM signatures made here (RFC 6376), for those whose mail server does not sign."""

from dataclasses import dataclass, field
from pathlib import Path

import dkim

# Both fields of one-click unsubscribing must be covered (RFC 8058, 4).
SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type",
    b"list-id", b"list-unsubscribe", b"list-unsubscribe-post", b"feedback-id",
)  # fmt: skip


class SigningError(Exception):
    """The key cannot be used; one line that says what is wrong."""


@dataclass(frozen=True)
class Signer:
    """Signs for a domain with the private key (PEM, RSA) whose public half stands under `selector`."""

    selector: str
    key: bytes = field(repr=False)

    def signature(self, data: bytes, domain: str) -> bytes:
        """The DKIM-Signature field of a message."""
        signed: bytes = dkim.sign(
            data,
            self.selector.encode(),
            domain.encode(),
            self.key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=list(SIGNED),
        )
        return signed


def read_signer(selector: str, key_file: Path) -> Signer:
    """The signer by a key file, tried once.

    Raises:
        SigningError: the file cannot be read, or holds no private key.
    """
    try:
        signer = Signer(selector, key_file.read_bytes())
        signer.signature(b"From: a@example.org\r\n\r\n", "example.org")
    except OSError as error:
        raise SigningError(f"PAPERBOY_DKIM_KEY_FILE cannot be read: {error.strerror}") from None
    except (dkim.DKIMException, ValueError):
        raise SigningError(f"PAPERBOY_DKIM_KEY_FILE: {key_file} holds no RSA private key in PEM") from None
    return signer
