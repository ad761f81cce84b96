"""The doctor and checkdmarc, which others wrote from the same standards, come to the same verdict about generated records."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from checkdmarc import utils
from checkdmarc.dmarc import check_dmarc
from checkdmarc.spf import check_spf

from monitoring.findings import Finding
from paperboy.doctor import dns_records
from tests.doctor.generated_records import DOMAIN, SPF_ZONE, dmarc_cases, spf_cases
from tests.doctor.zones import Zone
from tests.support.factories import IDENTITY

SENDS_FROM = "198.18.0.1"  # no drawn record allows it, so each is evaluated to its end
SENDER = replace(IDENTITY, sender=f"news@{DOMAIN}")
REPORTS_TO = "one.example"


def _finding(zone: Zone, subject: str) -> Finding:
    checks = dns_records.checks(zone.client(), SENDER, [], SENDS_FROM)
    [found] = [finding for check in checks if check.name == subject for finding in check.run()]
    return found


def _spf_zone(records: Sequence[str]) -> Zone:
    return Zone({DOMAIN: {"TXT": records}, **SPF_ZONE})


def _is_usable(zone: Zone) -> tuple[bool, bool]:
    """Whether an SPF record is usable: by the doctor, and by the oracle."""
    utils.DNS_CACHE.clear()
    return _finding(zone, "SPF").state != "failed", check_spf(DOMAIN, resolver=zone.resolver(), retries=0)[
        "valid"
    ]


def _dmarc_zone(records: Mapping[str, Sequence[str]]) -> Zone:
    names = {f"_dmarc.{name}": {"TXT": texts} for name, texts in records.items()}
    allows_reports = {f"{DOMAIN}._report._dmarc.{REPORTS_TO}": {"TXT": "v=DMARC1"}}
    return Zone(
        {DOMAIN: {"A": SENDS_FROM}, REPORTS_TO: {"MX": f"10 mail.{REPORTS_TO}."}, **names, **allows_reports}
    )


def _policies(zone: Zone) -> tuple[str, str]:
    """The policy and where it was found, or "failed": by the doctor, and by the oracle."""
    utils.DNS_CACHE.clear()
    found = _finding(zone, "DMARC")
    stated = re.match(r"policy (\w+) by \w+ at _dmarc\.([\w.]+)", found.problem)
    without = re.match(r"the record at _dmarc\.([\w.]+) has no p", found.problem)
    ours = f"{stated[1]} at {stated[2]}" if stated else f"none at {without[1]}" if without else found.state
    asked = check_dmarc(DOMAIN, resolver=zone.resolver(), retries=0)
    if not asked["valid"]:
        return ours, "failed"
    tag = "p" if asked["location"] == DOMAIN else "sp"
    return ours, f"{asked['tags'][tag]['value']} at {asked['location']}"


def test_the_doctor_and_the_oracle_agree_on_120_spf_records() -> None:
    verdicts = {name: _is_usable(_spf_zone(records)) for name, records in spf_cases(120)}
    assert {name: verdict for name, verdict in verdicts.items() if verdict[0] != verdict[1]} == {}
    kinds = Counter(ours for ours, _ in verdicts.values())
    assert min(kinds[True], kinds[False]) > 30


def test_the_doctor_and_the_oracle_agree_on_120_dmarc_zones() -> None:
    verdicts = {name: _policies(_dmarc_zone(records)) for name, records in dmarc_cases(120)}
    assert {name: verdict for name, verdict in verdicts.items() if verdict[0] != verdict[1]} == {}
    places = Counter(ours.rpartition(" at ")[2] for ours, _ in verdicts.values())
    assert min(places[place] for place in (DOMAIN, "example.org", "org", "failed")) > 5


# Where the two differ, and why it is meant so.
SPF_DIFFERENCES = {
    # A receiver stops at the match (RFC 7208, 4.6.2), so the rest does no harm to our mails. The oracle looks at all of it.
    "a fault behind the match": ([f"v=spf1 ip4:{SENDS_FROM} include:gone3.example -all"], True, False),
    # For an IPv4 sender only A records count (RFC 7208, 5.3), so three names with AAAA alone are void.
    "names with IPv6 alone": (["v=spf1 a:six1.example a:six2.example a:six3.example -all"], False, True),
}
DMARC_DIFFERENCES = {
    # A parent with several records counts as one without any (RFC 9989, 4.10). The oracle stops there.
    "two records at a parent": (
        {"example.org": ["v=DMARC1; p=none"] * 2, "org": ["v=DMARC1; p=reject; psd=y"]},
        "reject at org",
        "failed",
    ),
    # Other texts at the name are discarded (RFC 9989, 4.10). The oracle wants them removed.
    "another text": ({DOMAIN: ["v=DMARC1; p=reject", "something"]}, f"reject at {DOMAIN}", "failed"),
    # An address for reports that cannot be used says nothing about the policy. The oracle refuses the record.
    "reports to nowhere": ({DOMAIN: ["v=DMARC1; p=reject; rua=nowhere"]}, f"reject at {DOMAIN}", "failed"),
}


@pytest.mark.parametrize("name", SPF_DIFFERENCES)
def test_a_difference_about_spf_is_one_that_is_meant(name: str) -> None:
    records, ours, oracle = SPF_DIFFERENCES[name]
    six = {f"six{number}.example": {"AAAA": "2001:db8::6"} for number in (1, 2, 3)}
    zone = _spf_zone(records)
    assert _is_usable(Zone({**zone.names, **six})) == (ours, oracle)


@pytest.mark.parametrize("name", DMARC_DIFFERENCES)
def test_a_difference_about_dmarc_is_one_that_is_meant(name: str) -> None:
    records, ours, oracle = DMARC_DIFFERENCES[name]
    assert _policies(_dmarc_zone(records)) == (ours, oracle)
