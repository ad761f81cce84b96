"""Faults of the sender's DNS records that tests plant, each with the line that the doctor should print for it."""

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.installation import (
    DKIM,
    DMARC,
    SENDS_FROM,
    SPF,
    Installation,
    private_key,
    public_key,
)

MX, PTR, A = (
    ("paperboy.example", "MX"),
    ("7.113.0.203.in-addr.arpa", "PTR"),
    ("mail.paperboy.example", "A"),
)
# A key of 512 bits, which cryptography no longer makes.
SHORT_KEY = (
    "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMiYpI8eb2Zo8kLrscx6Ou3eSd86bOCNOo6r82"
    "3b5CYxStsiDx3WlgMAVTAHU8fmLy5XoutOIHVotFJAI9tLaK0CAwEAAQ=="
)

Plant = Callable[[Installation], object]


def _sign_with_key_of(installation: Installation, bits: int) -> None:
    """Sign with a new key of this length, and publish it."""
    key = rsa.generate_private_key(65537, bits)
    (installation.folder / "dkim.pem").write_bytes(private_key(key))
    installation.dns.records[DKIM] = [public_key(key)]


DNS_FAULTS: dict[str, tuple[Plant, str]] = {
    "no SPF": (lambda i: i.dns.records.pop(SPF), "failed   SPF: paperboy.example has no SPF record"),
    "two SPF records": (
        lambda i: i.dns.records[SPF].append("v=spf1 -all"),
        "failed   SPF: paperboy.example has 2 SPF records",
    ),
    "SPF without the server": (
        lambda i: i.dns.records.update({SPF: ["v=spf1 ip4:198.51.100.1 -all"]}),
        f"warning  SPF: the record does not allow {SENDS_FROM} to send",
    ),
    "SPF that includes itself": (
        lambda i: i.dns.records.update({SPF: ["v=spf1 include:paperboy.example -all"]}),
        "failed   SPF: receivers cannot evaluate the record: it takes more than 10 lookups",
    ),
    "SPF that includes a name without a record": (
        lambda i: i.dns.records.update({SPF: ["v=spf1 include:nowhere.example -all"]}),
        "failed   SPF: receivers cannot evaluate the record: nowhere.example, which it refers to, has no SPF record",
    ),
    "SPF with three names that have no address": (
        lambda i: i.dns.records.update({SPF: ["v=spf1 a:x.example a:y.example a:z.example -all"]}),
        "failed   SPF: receivers cannot evaluate the record: it looks up more than 2 names that have no records",
    ),
    "SPF with a mistake": (
        lambda i: i.dns.records.update({SPF: [f"v=spf1 ipv4:{SENDS_FROM} -all"]}),
        "failed   SPF: receivers cannot evaluate the record: it has a mistake at ipv4:203.0.113.7",
    ),
    "no DKIM key": (lambda i: i.dns.records.pop(DKIM), "failed   DKIM: there is no public key at"),
    "a DKIM record with another key": (
        lambda i: i.dns.records.update({DKIM: [public_key(rsa.generate_private_key(65537, 2048))]}),
        "failed   DKIM: the public key at .* does not match",
    ),
    "a short DKIM key": (
        lambda i: _sign_with_key_of(i, 1024),
        "warning  DKIM: the public key at .* matches, but has only 1024 bits -> move to a new key",
    ),
    "a DKIM key that receivers ignore": (
        lambda i: i.dns.records.update({DKIM: [SHORT_KEY]}),
        "failed   DKIM: the public key at .* has only 512 bits",
    ),
    "a revoked DKIM key": (
        lambda i: i.dns.records.update({DKIM: ["v=DKIM1; p="]}),
        "failed   DKIM: there is no public key in the record at",
    ),
    "no DKIM key in the settings": (
        lambda i: i.set_setting("DKIM_KEY_FILE", ""),
        "warning  DKIM: Paperboy does not sign",
    ),
    "no DMARC": (lambda i: i.dns.records.pop(DMARC), "failed   DMARC: paperboy.example has no DMARC record"),
    "DMARC without a policy": (
        lambda i: i.dns.records.update({DMARC: ["v=DMARC1; rua=mailto:x@example.org"]}),
        "warning  DMARC: the record at _dmarc.paperboy.example has no p, which counts as p=none",
    ),
    "DMARC with a policy that does not exist": (
        lambda i: i.dns.records.update({DMARC: ["v=DMARC1; p=refuse"]}),
        "failed   DMARC: receivers ignore the record at _dmarc.paperboy.example: the tag p cannot have the value refuse",
    ),
    "neither an MX record nor an address for bounces": (
        lambda i: i.dns.records.pop(MX),
        "failed   MX: paperboy.example has no MX record and no address",
    ),
    "no MX record, but an address for bounces": (
        lambda i: i.dns.records.update({MX: [], ("paperboy.example", "A"): [SENDS_FROM]}),
        f"warning  MX: paperboy.example has no MX record, so bounces go to its own address {SENDS_FROM}",
    ),
    "a domain that takes no mail": (
        lambda i: i.dns.records.update({MX: ["0 ."]}),
        "failed   MX: paperboy.example accepts no mail",
    ),
    "an address without a host name": (
        lambda i: i.dns.records.pop(PTR),
        f"failed   reverse DNS: {SENDS_FROM} has no host name",
    ),
    "a host name with another address": (
        lambda i: i.dns.records.update({A: ["198.51.100.1"]}),
        f"failed   reverse DNS: {SENDS_FROM} has the host name mail.paperboy.example, which does not resolve back",
    ),
}
