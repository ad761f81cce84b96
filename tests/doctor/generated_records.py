"""SPF and DMARC records for tests, drawn with a fixed seed, and the zones in which they stand."""

import random
from collections.abc import Iterator, Mapping, Sequence

from tests.doctor.zones import Records

DOMAIN = "news.example.org"

# What the drawn SPF records refer to. `wide` takes six lookups, `loop` has no end, and the names of `gone` have no records.
SPF_ZONE: Mapping[str, Records] = {
    "one.example": {
        "TXT": "v=spf1 ip4:203.0.113.0/24 -all",
        "A": "203.0.113.1",
        "MX": "10 mail.one.example.",
    },
    "mail.one.example": {"A": "203.0.113.2", "AAAA": "2001:db8::2"},
    "plain.example": {"TXT": "something else", "A": "203.0.113.3"},
    "twice.example": {"TXT": ["v=spf1 -all", "v=spf1 +all"]},
    "wide.example": {"TXT": "v=spf1 " + "a:one.example " * 5 + "mx:one.example -all"},
    "loop.example": {"TXT": "v=spf1 include:loop.example -all"},
    "void.example": {"TXT": "v=spf1 a:gone1.example mx:gone2.example ?all"},
    "wrong.example": {"TXT": "v=spf1 ipv4:203.0.113.4 -all"},
    "crowded.example": {"MX": [f"10 mail{number}.crowded.example." for number in range(11)]},
    **{f"mail{number}.crowded.example": {"A": "203.0.113.5"} for number in range(11)},
}
_TERMS = (
    ["ip4:203.0.113.0/24", "ip6:2001:db8::/32", "a:one.example", "mx:one.example/28", "include:one.example"]
    * 3
    + [
        "a:one.example/24//64",
        "exists:%{i}.list.example",
        "include:wide.example",
        "ptr:one.example",
        "x-note=any",
    ]
    + ["a:gone1.example", "mx:gone2.example", "include:void.example", "a:gone4.example"] * 3
    + ["include:gone3.example", "include:plain.example"]
    + ["include:twice.example", "include:loop.example", "include:wrong.example", "mx:crowded.example"]
    + [
        "ipv4:203.0.113.6",
        "ip4:203.0.113.256",
        "ip4:203.0.113.0/40",
        "ip6:2001:db8::/140",
        "include:",
        "a:one.example/99",
    ]
    + ["a:%{z}.example", "everything", "redirect=one.example", "redirect=plain.example", "exp=why.%{d}"]
)
_POLICIES = ("none", "quarantine", "reject")
_FAULTY_TAGS = ("p=refuse", "p=", "sp=all", "np=never", "t=maybe", "p=none; p=reject", "words", "psd=always")
_PLACES = (DOMAIN, "example.org", "org")


def spf_cases(count: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Names of cases, each with the SPF records of a domain."""
    chance = random.Random(7208)  # noqa: S311  for tests
    yield "no record", []
    yield "two records", ["v=spf1 -all", "v=spf1 ~all"]
    for number in range(count):
        terms = chance.sample(_TERMS, chance.randint(1, 4))
        end = chance.choice(["-all", "~all", "?all", "", ""])
        yield f"spf {number}", [" ".join(["v=spf1", *terms, end]).strip()]


def dmarc_cases(count: int) -> Iterator[tuple[str, Mapping[str, Sequence[str]]]]:
    """Names of cases, each with the DMARC records of some names."""
    chance = random.Random(9989)  # noqa: S311  for tests
    for number in range(count):
        places = chance.sample(_PLACES, chance.randint(0, len(_PLACES)))
        yield f"dmarc {number}", {place: [_dmarc_record(chance, place)] for place in places}


def _dmarc_record(chance: random.Random, place: str) -> str:
    tags = [f"p={chance.choice(_POLICIES)}"] if chance.random() < 0.85 else []
    tags += [f"{name}={chance.choice(_POLICIES)}" for name in ("sp", "np") if chance.random() < 0.4]
    tags += ["t=y"] * (chance.random() < 0.2) + ["rua=mailto:dmarc@one.example"] * (chance.random() < 0.5)
    if place != DOMAIN and chance.random() < 0.3:
        tags.append(f"psd={chance.choice('yn')}")
    if chance.random() < 0.15:
        tags.append(chance.choice(_FAULTY_TAGS))
    return "; ".join(["v=DMARC1", *tags])
