"""The doctor finds each planted fault of an installation, and reports nothing else."""

import re
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import dns.rcode
import pytest

from core.database import open_engine
from paperboy.doctor import database, dns_records, prefect_server
from paperboy.doctor.dns_client import DnsClient
from tests.support.factories import IDENTITY
from tests.support.installation import LOGIN, SPF, Installation
from tests.support.planted_faults import FAULTS, make_read_only


def test_in_a_healthy_installation_every_finding_is_ok(installation: Installation) -> None:
    findings = installation.run_doctor()
    assert [finding.line() for finding in findings if finding.state != "ok"] == []
    assert len(findings) > 20
    assert installation.mail_server.messages == []


# A fault of a subject hides the faults of its parts: without a database there is no outbox to look at.
SUBJECT_OF_PART = {
    "outbox": "database",
    "last": "database",
    "deployments": "Prefect",
    "deployment": "Prefect",
    "work": "Prefect",
    "late": "Prefect",
    "scheduled": "Prefect",
    "worker": "database",
    "one-click": "pages",
    "one-click request": "pages",
}


def _subject(expected: str) -> str:
    word = expected.split()[1].rstrip(":")
    return "mail" if "SMTP_URL" in expected else SUBJECT_OF_PART.get(word, word)


def _groups_of_faults() -> list[list[str]]:
    """All faults in groups that are planted together, with at most one fault of each subject.

    An installation for each single fault would take a quarter of a minute more.
    """
    by_subject: dict[str, list[str]] = {}
    for name, (_, expected) in FAULTS.items():
        by_subject.setdefault(_subject(expected), []).append(name)
    return [[name for name in names if name] for names in zip_longest(*by_subject.values())]


@pytest.mark.parametrize("names", _groups_of_faults(), ids="; ".join)
def test_each_fault_has_exactly_one_line_of_its_own(installation: Installation, names: list[str]) -> None:
    for name in names:
        FAULTS[name][0](installation)
    lines = [finding.line() for finding in installation.run_doctor() if finding.state != "ok"]
    for name in names:
        expected = FAULTS[name][1]
        matching = [line for line in lines if line.startswith(expected) or re.match(expected, line)]
        assert len(matching) == 1, (name, lines)
    assert len(lines) == len(names), lines
    assert all(" -> " in line and LOGIN[1] not in line for line in lines)


def test_a_resolver_that_does_not_answer_fails_each_check_of_the_dns(installation: Installation) -> None:
    installation.dns.rcode = dns.rcode.SERVFAIL
    lines = [finding.line() for finding in installation.run_doctor() if finding.state != "ok"]
    assert [line.partition(":")[0].split(maxsplit=1)[1] for line in lines] == [
        "SPF",
        "DKIM",
        "DMARC",
        "MX",
        "MTA-STS",
        "TLS-RPT",
        "reverse DNS",
    ]
    assert all("the DNS lookup failed" in line for line in lines)


def test_all_mistakes_in_the_settings_are_listed_and_the_other_checks_left_out(
    installation: Installation,
) -> None:
    installation.set_setting("SECRET_KEY", "short")
    installation.set_setting("TIMEZONE", "Asia/Soul")
    installation.set_setting("CONNECTIONS", "many")
    lines = [finding.line() for finding in installation.run_doctor()]
    assert [line.split(":")[1].strip() for line in lines if line.startswith("failed   settings")] == [
        "PAPERBOY_CONNECTIONS",
        "PAPERBOY_SECRET_KEY",
        "PAPERBOY_TIMEZONE",
    ]
    assert lines[3:] == [
        "warning  checkup: all other checks were left out, as they need the settings"
        " -> correct the settings first"
    ]
    assert "short" not in lines[1]


def test_a_settings_file_that_is_not_text_is_a_finding_and_not_a_traceback(
    installation: Installation,
) -> None:
    (installation.folder / ".env").write_bytes(b"PAPERBOY_OPERATOR=\xff\xfe")
    first, *_ = (finding.line() for finding in installation.run_doctor())
    assert first.startswith("failed   settings: .env cannot be read as UTF-8 text")


def test_spf_lookups_are_counted_separately_for_each_sending_address(installation: Installation) -> None:
    installation.dns.records[SPF] = [f"v=spf1 {'a:mail.paperboy.example ' * 6}ip4:8.8.0.0/16 -all"]
    dns_client = DnsClient(installation.dns.resolver)
    checks = dns_records.checks(dns_client, IDENTITY, ["8.8.8.8", "8.8.4.4"])
    [check_spf] = [check.run for check in checks if check.name == "SPF"]
    assert [found.line() for found in check_spf()] == [
        "ok       SPF: the record allows 8.8.8.8, 8.8.4.4 to send"
    ]


def test_a_read_only_database_is_reported_with_a_remedy(database_url: str) -> None:
    now = datetime.now(UTC)
    assert next(iter(database.check(database_url, now))).state == "ok"
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":
        make_read_only(Path(str(engine.url.database)))
    else:  # like a standby server
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = engine.url.database
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    engine.dispose()
    found = next(iter(database.check(database_url, now))).line()
    assert re.match(
        "failed   database: cannot be used: .*read-?only.* -> (use the primary|give the user)", found
    )


def test_an_unreachable_database_server_is_reported_without_its_password() -> None:
    (found,) = database.check("postgresql+psycopg://paperboy:secret@127.0.0.1:1/paperboy", datetime.now(UTC))
    assert found.line().startswith("failed   database: cannot be used: ")
    assert "secret" not in found.line()


def test_a_password_in_the_address_of_prefect_is_not_shown() -> None:
    address = {"PREFECT_API_URL": "http://minji:secret@127.0.0.1:1/api"}
    (finding,) = prefect_server.check(address, Path("prefect.yaml"), "Asia/Seoul", reads_inbox=False)
    assert "http://127.0.0.1:1/api does not answer" in finding.line()
    assert "secret" not in finding.line()
