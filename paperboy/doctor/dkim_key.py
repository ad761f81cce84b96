"""Checks each public DKIM key in the DNS: there, not revoked, long enough, and that of the private key (RFC 6376, 3.6.1)."""

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

from emails.identity import MailIdentity
from emails.mime.dkim_signing import DkimKey
from monitoring.findings import Finding, failed, ok, warning
from monitoring.list_headers import signature_tags
from paperboy.doctor.dns_client import DnsClient

NAME = "DKIM"
MIN_BITS = 1024  # receivers ignore shorter RSA keys (RFC 8301, 3.2)
RECOMMENDED_BITS = 2048  # RFC 8301, 3.2, and what large providers ask for
_ROTATE = 'move to a new key of 2048 bits under another selector: see "Another DKIM key" in docs/sending.md'


@dataclass(frozen=True)
class _PublicKey:
    """A public key in the form in which `DkimKey` has it, and its length in bits."""

    value: bytes
    bits: int
    is_rsa: bool


def check(dns_client: DnsClient, identity: MailIdentity) -> Iterator[Finding]:
    """Check the public key of each key that Paperboy signs with."""
    if identity.signer is None:
        problem = "Paperboy does not sign, and whether the mail server does cannot be seen from here"
        yield warning(NAME, problem, "run `paperboy probe`, which reads what a receiver found")
        return
    for key in identity.signer.keys:
        record_name = f"{key.selector}._domainkey.{identity.domain}"
        records = dns_client.look_up(record_name, "TXT")
        if records:
            yield _check_record(record_name, records[0], key)
        else:
            yield failed(NAME, f"there is no public key at {record_name}", "add it as a TXT record")


def _check_record(name: str, record: str, key: DkimKey) -> Finding:
    public = _public_key(record)
    if public is None:
        problem = (
            f"there is no public key in the record at {name} that receivers accept: it is revoked or damaged"
        )
        return failed(NAME, problem, _ROTATE)
    if public.is_rsa and public.bits < MIN_BITS:
        problem = f"the public key at {name} has only {public.bits} bits, so receivers ignore the signature"
        return failed(NAME, problem, _ROTATE)
    if public.value != key.public_key:
        problem = f"the public key at {name} does not match the key in PAPERBOY_DKIM_KEY_FILE"
        return failed(
            NAME, problem, "put the matching public key there, or use another PAPERBOY_DKIM_SELECTOR"
        )
    if public.is_rsa and public.bits < RECOMMENDED_BITS:
        problem = f"the public key at {name} matches, but has only {public.bits} bits"
        return warning(NAME, problem, _ROTATE)
    return ok(NAME, f"the public key at {name} has {public.bits} bits and matches the key that signs here")


def _public_key(record: str) -> _PublicKey | None:
    """The key in a record, or None if receivers find none. An empty one is revoked."""
    tags = signature_tags(record)
    allowed = (
        tags.get("v", "DKIM1") == "DKIM1"
        and "sha256" in tags.get("h", "sha256").split(":")
        and {"*", "email"} & set(tags.get("s", "*").split(":"))
    )
    try:
        value = base64.b64decode(tags.get("p", ""), validate=True)
    except binascii.Error:
        return None
    if not (allowed and value):
        return None
    kind = tags.get("k", "rsa")
    if kind == "ed25519":
        return _PublicKey(value, 8 * len(value), is_rsa=False)
    return _rsa_key(value) if kind == "rsa" else None


def _rsa_key(der: bytes) -> _PublicKey | None:
    """An RSA key, as a SubjectPublicKeyInfo (RFC 6376) or as an RSAPublicKey (its erratum 3017)."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  only for those who sign
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415  only for those who sign
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415  as above

    from emails.mime.dkim_keys import public_bytes  # noqa: PLC0415  as above

    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return _PublicKey(public_bytes(key), key.key_size, is_rsa=True) if isinstance(key, RSAPublicKey) else None
