"""The doctor finds each fault of an installation, and nothing else."""

import re
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import dns.rcode
import pytest

from core.database import open_engine
from monitoring.probe_mail import trial_mail
from paperboy.doctor import database, dns_records
from tests.support.factories import HOUSE, NOW
from tests.support.installation import LOGIN, SPF, Installation
from tests.support.planted_faults import FAULTS, make_read_only


def test_a_healthy_installation_gets_nothing_but_ok(installation: Installation) -> None:
    findings = installation.findings()
    assert [finding.line() for finding in findings if finding.state != "ok"] == []
    assert len(findings) > 20
    assert installation.mail.messages == []


# --- planted faults -----------------------------------------------------------------

# Faults that would hide each other: what is said of a thing goes with the thing that it is a part of.
PART_OF = {
    "outbox": "database",
    "last": "database",
    "deployments": "Prefect",
    "deployment": "Prefect",
    "work": "Prefect",
    "late": "Prefect",
    "scheduled": "Prefect",
    "one-click": "pages",
}


def _subject(expected: str) -> str:
    word = expected.split()[1].rstrip(":")
    return "mail" if "SMTP_URL" in expected else PART_OF.get(word, word)


def _rounds() -> list[list[str]]:
    """All faults, at most one of a subject together: to plant each alone takes a quarter of a minute."""
    by_subject: dict[str, list[str]] = {}
    for name, (_, expected) in FAULTS.items():
        by_subject.setdefault(_subject(expected), []).append(name)
    return [[name for name in names if name] for names in zip_longest(*by_subject.values())]


@pytest.mark.parametrize("names", _rounds(), ids="; ".join)
def test_each_fault_is_one_line_that_no_other_fault_gives(
    installation: Installation, names: list[str]
) -> None:
    for name in names:
        FAULTS[name][0](installation)
    lines = [finding.line() for finding in installation.findings() if finding.state != "ok"]
    for name in names:
        expected = FAULTS[name][1]
        told = [line for line in lines if line.startswith(expected) or re.match(expected, line)]
        assert len(told) == 1, (name, lines)
    assert len(lines) == len(names), lines
    assert all(" -> " in line and LOGIN[1] not in line for line in lines)


def test_a_resolver_that_does_not_answer_is_told_for_each_question(installation: Installation) -> None:
    installation.names.rcode = dns.rcode.SERVFAIL
    lines = [finding.line() for finding in installation.findings() if finding.state != "ok"]
    assert [line.partition(":")[0].split(maxsplit=1)[1] for line in lines] == [
        "SPF",
        "DKIM",
        "DMARC",
        "MX",
        "reverse DNS",
    ]
    assert all("the DNS gives no answer" in line for line in lines)


def test_all_mistakes_in_the_settings_are_told_at_once_and_the_rest_waits_for_them(
    installation: Installation,
) -> None:
    installation.set("SECRET_KEY", "short")
    installation.set("TIMEZONE", "Asia/Soul")
    installation.set("CONNECTIONS", "many")
    lines = [finding.line() for finding in installation.findings()]
    assert [line.split(":")[1].strip() for line in lines if line.startswith("failed   settings")] == [
        "PAPERBOY_CONNECTIONS",
        "PAPERBOY_SECRET_KEY",
        "PAPERBOY_TIMEZONE",
    ]
    assert lines[3:] == [
        "warning  checkup: everything else was not looked at, as it needs the settings -> correct them first"
    ]
    assert "short" not in lines[1]


def test_a_file_of_settings_that_is_no_text_is_a_line_and_no_traceback(installation: Installation) -> None:
    (installation.folder / ".env").write_bytes(b"PAPERBOY_OPERATOR=\xff\xfe")
    first, *_ = (finding.line() for finding in installation.findings())
    assert first.startswith("failed   settings: .env cannot be read as text in UTF-8")


def test_lookups_of_an_spf_record_are_counted_for_each_address_that_sends(installation: Installation) -> None:
    installation.names.records[SPF] = [f"v=spf1 {'a:mail.paperboy.example ' * 6}ip4:8.8.0.0/16 -all"]
    names, mail = dns_records.Names(installation.names.resolver), trial_mail(HOUSE, "me@example.com", NOW)
    looks = {
        check.name: check.look for check in dns_records.checks(names, HOUSE, mail, ["8.8.8.8", "8.8.4.4"])
    }
    assert [found.line() for found in looks["SPF"]()] == ["ok       SPF: lets 8.8.8.8, 8.8.4.4 send"]


# --- databases of both kinds --------------------------------------------------------


def test_a_database_that_became_read_only_is_told_with_what_to_do(database_url: str) -> None:
    now = datetime.now(UTC)
    assert next(iter(database.check(database_url, now))).state == "ok"
    engine = open_engine(database_url)
    if engine.dialect.name == "sqlite":
        make_read_only(Path(str(engine.url.database)))
    else:  # as a standby server is
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            name = engine.url.database
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    engine.dispose()
    found = next(iter(database.check(database_url, now))).line()
    assert re.match(
        "failed   database: cannot be used: .*read-?only.* -> (use the primary|let the user)", found
    )


def test_a_database_server_that_is_away_is_told_without_its_password() -> None:
    (found,) = database.check("postgresql+psycopg://paperboy:secret@127.0.0.1:1/paperboy", datetime.now(UTC))
    assert found.line().startswith("failed   database: cannot be used: ")
    assert "secret" not in found.line()
