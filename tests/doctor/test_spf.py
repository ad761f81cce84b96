"""SPF records are evaluated as receivers evaluate them (RFC 7208)."""

import re

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
        ("v=spf1 a//32 -all", "2001:db8:1::5", "pass"),
        ("v=spf1 exists:%{i}.list.example -all", "203.0.113.7", "unknown"),
        ("v=spf1 exists:other.example -all", "203.0.113.7", "pass"),
        ("v=spf1 +include:%{d}.inner.example ip4:203.0.113.7 -all", "203.0.113.7", "unknown"),
    ],
)
def test_an_spf_record_is_evaluated_as_receivers_do(record: str, address: str, result: str) -> None:
    assert spf.check_host(record, "paperboy.example", address, _lookups()) == result


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("v=spf1 ip4:nonsense -all", "it has a mistake at ip4:nonsense"),
        ("v=spf1 ip4:192.0.2.0/33 -all", "it has a mistake at ip4:192.0.2.0/33"),
        ("v=spf1 ipv4:203.0.113.7 -all", "it has a mistake at ipv4:203.0.113.7"),
        ("v=spf1 a:%{z} -all", "it has a mistake at a:%{z}"),
        ("v=spf1 redirect=inner.example redirect=inner.example", "it has a mistake at redirect="),
        ("v=spf1 include:nowhere.example -all", "nowhere.example, which it refers to, has no SPF record"),
        ("v=spf1 redirect=nowhere.example", "nowhere.example, which it refers to, has no SPF record"),
        ("v=spf1 include:twice.example -all", "twice.example, which it refers to, has 2 SPF records"),
        ("v=spf1 include:loop.example -all", "it takes more than 10 lookups"),
        ("v=spf1 a:x.example mx:y.example exists:z.example -all", "it looks up more than 2 names"),
        ("v=spf1 mx:many.example -all", "many.example has more than 10 mail exchangers"),
    ],
)
def test_a_record_that_receivers_give_up_on_is_an_error_with_the_reason(record: str, reason: str) -> None:
    with pytest.raises(spf.SpfRecordError, match=re.escape(reason)):
        spf.check_host(record, "paperboy.example", "203.0.113.7", _lookups())


def test_what_stands_behind_the_match_is_not_looked_up() -> None:
    record = "v=spf1 ip4:203.0.113.7 include:nowhere.example -all"
    assert spf.check_host(record, "paperboy.example", "203.0.113.7", _lookups()) == "pass"


def _lookups() -> spf.Lookups:
    records = {
        "inner.example": ["v=spf1 ip4:198.51.100.0/24 -all"],
        "loop.example": ["v=spf1 include:loop.example"],
    }
    records["twice.example"] = ["v=spf1 -all"] * 2
    addresses = {"paperboy.example": ["192.0.2.1", "2001:db8::1"], "other.example": ["198.51.100.1"]}
    addresses |= {"mail.paperboy.example": [SENDS_FROM]}
    exchangers = {
        "paperboy.example": ["mail.paperboy.example"],
        "many.example": ["mail.paperboy.example"] * 11,
    }
    return spf.Lookups(
        lambda name: records.get(name, []),
        lambda name, version: [host for host in addresses.get(name, []) if (":" in host) == (version == 6)],
        lambda name: exchangers.get(name, []),
    )
