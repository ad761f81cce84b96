"""Checks the public DKIM key in the DNS: there, not revoked, long enough, and that of the private key (RFC 6376)."""

from collections.abc import Iterator

import dkim

from emails.identity import MailIdentity
from emails.message import Message
from monitoring.findings import Finding, failed, ok, warning
from paperboy.doctor.dns_client import DnsClient

NAME = "DKIM"
MIN_BITS = 1024  # receivers ignore shorter keys (RFC 8301, 3.2)
RECOMMENDED_BITS = 2048  # RFC 8301, 3.2, and what large providers ask for
_ROTATE = 'move to a new key of 2048 bits under another selector: see "Another DKIM key" in docs/sending.md'


def check(dns_client: DnsClient, identity: MailIdentity, mail: Message) -> Iterator[Finding]:
    """Check the public key with `mail`, which is signed if Paperboy signs."""
    if identity.signer is None:
        problem = "Paperboy does not sign, and whether the mail server does cannot be seen from here"
        yield warning(NAME, problem, "run `paperboy probe`, which reads what a receiver found")
        return
    record_name = f"{identity.signer.selector}._domainkey.{identity.domain}"
    records = dns_client.look_up(record_name, "TXT")
    if records:
        yield _check_record(record_name, records[0], mail)
    else:
        yield failed(NAME, f"there is no public key at {record_name}", "add it as a TXT record")


def _check_record(record_name: str, record: str, mail: Message) -> Finding:
    bits = _key_bits(record)
    if bits is None:
        problem = f"there is no RSA public key in the record at {record_name}: it is revoked or damaged"
        return failed(NAME, problem, _ROTATE)
    if bits < MIN_BITS:
        problem = f"the public key at {record_name} has only {bits} bits, so receivers ignore the signature"
        return failed(NAME, problem, _ROTATE)
    if not _verifies(mail.data, record):
        problem = f"the public key at {record_name} does not match the key in PAPERBOY_DKIM_KEY_FILE"
        return failed(
            NAME, problem, "put the matching public key there, or use another PAPERBOY_DKIM_SELECTOR"
        )
    if bits < RECOMMENDED_BITS:
        problem = f"the public key at {record_name} matches, but has only {bits} bits"
        return warning(NAME, problem, _ROTATE)
    return ok(NAME, f"the public key at {record_name} has {bits} bits and matches the signature made here")


def _key_bits(record: str) -> int | None:
    """The length of the RSA key in a record, or None if there is none. An empty one is revoked (RFC 6376, 3.6.1)."""
    try:
        _, bits, algorithm, _ = dkim.evaluate_pk("", record)
    except (dkim.DKIMException, ValueError, IndexError):
        return None
    return int(bits) if algorithm == b"rsa" else None


def _verifies(data: bytes, key: str) -> bool:
    try:
        # dkimpy would look up the key itself, through another resolver. It gets the key from here instead.
        return bool(dkim.verify(data, dnsfunc=lambda _name, timeout=0: key.encode()))  # noqa: ARG005  dkimpy names it
    except (dkim.DKIMException, ValueError):
        return False
