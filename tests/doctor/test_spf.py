"""SPF records are evaluated as receivers evaluate them (RFC 7208)."""

import pytest

from paperboy.doctor import spf
from tests.support.installation import SENDS_FROM


@pytest.mark.parametrize(
    ("record", "address", "result"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.9", "pass"),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8::1", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 ~all", "203.0.113.7", "fail"),
        ("v=spf1 -ip4:203.0.113.7 +all", "203.0.113.7", "fail"),
        ("v=spf1 a -all", "192.0.2.1", "pass"),
        ("v=spf1 a/24 -all", "192.0.2.77", "pass"),
        ("v=spf1 a:other.example -all", "198.51.100.1", "pass"),
        ("v=spf1 mx/30 -all", "203.0.113.6", "pass"),
        ("v=spf1 include:inner.example -all", "198.51.100.9", "pass"),
        ("v=spf1 include:inner.example -all", "198.51.101.9", "fail"),
        ("v=spf1 redirect=inner.example", "198.51.100.9", "pass"),
        ("v=spf1 exp=why.example ip4:203.0.113.7", "203.0.113.7", "pass"),
        ("v=spf1", "203.0.113.7", "fail"),
        ("v=spf1 exists:%{i}.list.example -all", "203.0.113.7", "unknown"),
        ("v=spf1 ip4:nonsense -all", "203.0.113.7", "unknown"),
        ("v=spf1 include:nowhere.example -all", "203.0.113.7", "unknown"),
        ("v=spf1 include:loop.example -all", "203.0.113.7", "error"),
    ],
)
def test_an_spf_record_is_evaluated_as_receivers_do(record: str, address: str, result: str) -> None:
    records = {
        "inner.example": ["v=spf1 ip4:198.51.100.0/24 -all"],
        "loop.example": ["v=spf1 include:loop.example"],
    }
    addresses = {"paperboy.example": ["192.0.2.1"], "other.example": ["198.51.100.1"]}
    lookups = spf.Lookups(
        lambda name: records.get(name, []),
        lambda name: addresses.get(name, []),
        lambda name: [SENDS_FROM] if name == "paperboy.example" else [],
    )
    assert spf.check_host(record, "paperboy.example", address, lookups) == result
