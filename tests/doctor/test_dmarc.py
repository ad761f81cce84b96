"""The DMARC policy that applies to a domain is found and read as RFC 9989 says."""

from collections.abc import Mapping, Sequence

import pytest

from paperboy.doctor import dmarc_policy
from tests.doctor.zones import Zone


def _line(records: Mapping[str, str | Sequence[str]], domain: str, *names: str) -> str:
    """What the doctor says about a domain. `records` has the DMARC records by domain; `names` are other names that exist."""
    zone = Zone(
        {f"_dmarc.{name}": {"TXT": value} for name, value in records.items()} | {name: {} for name in names}
    )
    (found,) = dmarc_policy.check(zone.client(), domain)
    return found.line()


@pytest.mark.parametrize(
    ("records", "policy"),
    [
        ({"news.example.org": "v=DMARC1; p=reject; sp=none"}, "reject by p at _dmarc.news.example.org"),
        ({"example.org": "v=DMARC1; p=reject"}, "reject by p at _dmarc.example.org"),
        (
            {"example.org": "v=DMARC1; p=reject; sp=quarantine; np=none"},
            "quarantine by sp at _dmarc.example.org",
        ),
        ({"org": "v=DMARC1; p=reject; psd=y"}, "reject by p at _dmarc.org"),
        (
            {"org": "v=DMARC1; p=reject; psd=y", "example.org": "v=DMARC1; p=none"},
            "none by p at _dmarc.example.org",
        ),
    ],
)
def test_the_policy_of_a_domain_comes_from_its_own_record_or_the_organization_above(
    records: dict[str, str], policy: str
) -> None:
    assert f"policy {policy};" in _line(records, "news.example.org", "news.example.org")


def test_a_domain_that_does_not_exist_gets_the_policy_for_those() -> None:
    line = _line({"example.org": "v=DMARC1; p=none; sp=quarantine; np=reject"}, "news.example.org")
    assert "policy reject by np at _dmarc.example.org" in line


def test_a_record_between_the_domain_and_its_organization_does_not_count() -> None:
    records = {"b.example.org": "v=DMARC1; p=none", "example.org": "v=DMARC1; p=reject"}
    assert "reject by p at _dmarc.example.org" in _line(records, "a.b.example.org", "a.b.example.org")
    records["b.example.org"] += "; psd=n"  # it says that it is an organization of its own
    assert "none by p at _dmarc.b.example.org" in _line(records, "a.b.example.org", "a.b.example.org")


def test_of_a_long_name_at_most_eight_records_are_asked_for() -> None:
    domain = "a.b.c.d.e.f.g.h.i.example.org"
    zone = Zone({"_dmarc.example.org": {"TXT": "v=DMARC1; p=reject"}, domain: {}})
    (found,) = dmarc_policy.check(zone.client(), domain)
    assert "reject by p at _dmarc.example.org" in found.line()
    asked = list(dict.fromkeys(name for name, kind in zone.asked if kind == "TXT"))
    assert asked == [
        f"_dmarc.{domain}",
        *("_dmarc." + ".".join(domain.split(".")[start:]) for start in range(4, 11)),
    ]


def test_a_policy_in_test_mode_is_said_to_be_weaker() -> None:
    line = _line({"example.org": "v=DMARC1; p=reject; t=y"}, "example.org", "example.org")
    assert line.startswith(
        "ok       DMARC: policy reject by p at _dmarc.example.org, weakened by one step for a test (t=y)"
    )


@pytest.mark.parametrize(
    ("record", "line"),
    [
        ("v=DMARC1", "warning  DMARC: the record at _dmarc.example.org has no p, which counts as p=none"),
        (
            "v=DMARC1; p=refuse",
            "failed   DMARC: receivers ignore the record at _dmarc.example.org: the tag p cannot",
        ),
        ("v=DMARC1; p=none; p=reject", "failed   DMARC: receivers ignore .*: the tag p is there twice"),
        ("v=DMARC1; p none", "failed   DMARC: receivers ignore .*: a part of it has no ="),
        ("p=reject; v=DMARC1", "failed   DMARC: example.org has no DMARC record"),
    ],
)
def test_a_record_with_a_fault_has_a_line_that_says_what_receivers_make_of_it(record: str, line: str) -> None:
    found = _line({"example.org": record}, "example.org", "example.org")
    assert all(part in found for part in line.split(".*"))
