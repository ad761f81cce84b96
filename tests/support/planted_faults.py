"""Faults to plant in a healthy installation, each with the line that the doctor says of it."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from core.database import open_database
from paperboy.doctor import smtp_servers
from tests.support.installation import DKIM, DMARC, LOGIN, SENDS_FROM, SPF, Installation, public_key
from tests.support.outbox import plan
from tests.support.servers.smtp import HANG

MX, POINTER, ADDRESS = (
    ("paperboy.example", "MX"),
    ("7.113.0.203.in-addr.arpa", "PTR"),
    ("mail.paperboy.example", "A"),
)
WEEKLY = "digest/weekly"
SEOUL = {"cron": "0 8 * * 1", "timezone": "Asia/Seoul"}
CLOSED = "http://127.0.0.1:1"


def _late(installation: Installation, state: str) -> None:
    """A mail that should have gone out long ago."""
    opened = open_database(f"sqlite:///{installation.database}")
    plan(opened, 1)
    opened.engine.dispose()
    installation.sql(f"UPDATE deliveries SET state = '{state}', due_at = planned_at")  # noqa: S608


def make_read_only(file: Path) -> None:
    """By the write version in the file's header (SQLite's file format, 1.3): root is stopped by it, too."""
    with file.open("r+b") as opened:
        opened.seek(18)
        opened.write(b"\x03")


def _soon(installation: Installation) -> ssl.SSLContext:
    return installation.certificate("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=5))


def _name_prefect_in_env(installation: Installation) -> None:
    installation.environment.delenv("PREFECT_API_URL")
    (installation.folder / ".env").write_text(f"PREFECT_API_URL={CLOSED}/api\n")


def _serve_without_tls(installation: Installation) -> None:
    installation.forum.answers.update({"/health": (200, '{"status":"ok"}')})
    installation.set("BASE_URL", installation.forum.url)


def _let_the_mail_server_hang(installation: Installation) -> None:
    installation.environment.setattr(smtp_servers, "PATIENCE", 0.3)
    installation.mail.on_ehlo = HANG


Plant = Callable[[Installation], object]

FAULTS: dict[str, tuple[Plant, str]] = {
    # settings
    "a mistyped setting": (
        lambda i: i.set("SMPT_URL", "smtp://x"),
        "warning  settings: PAPERBOY_SMPT_URL is no setting",
    ),
    "no operator": (lambda i: i.set("OPERATOR", ""), "warning  settings: PAPERBOY_OPERATOR is empty"),
    "an SMTP address that is none": (
        lambda i: i.set("SMTP_URL", "mail.example"),
        "failed   settings: PAPERBOY_SMTP_URL must look like",
    ),
    "a key for links that others can read": (
        lambda i: (i.folder / "var" / "secret_key").chmod(0o644),
        "warning  secret key: others can read var/secret_key (mode 644) -> chmod 600",
    ),
    "a key for links that was cut off": (
        lambda i: (i.folder / "var" / "secret_key").write_bytes(b"0"),
        "failed   secret key: var/secret_key holds 1 bytes",
    ),
    # database
    "no database": (lambda i: i.database.unlink(), "failed   database: there is no file"),
    "a database of an earlier version": (
        lambda i: i.sql("UPDATE alembic_version SET version_num = '0002'"),
        "failed   database: at version 0002, needs",
    ),
    "a database of a later version": (
        lambda i: i.sql("UPDATE alembic_version SET version_num = '9999'"),
        "failed   database: at version 9999, newer",
    ),
    "an empty database": (lambda i: i.database.write_bytes(b""), "failed   database: has no tables yet"),
    "a garbled database": (
        lambda i: i.database.write_bytes(b"garbage" * 1000),
        "failed   database: cannot be used: file is not a database",
    ),
    "a database that cannot be written": (
        lambda i: make_read_only(i.database),
        "failed   database: cannot be used: attempt to write a readonly database -> let the user",
    ),
    "mails that wait": (lambda i: _late(i, "deferred"), "warning  outbox: 1 mails are overdue"),
    "mails that a dead sender holds": (lambda i: _late(i, "sending"), "warning  outbox: 1 mails are held"),
    "upkeep that does not run": (
        lambda i: i.sql("UPDATE runs SET finished_at = '2026-01-01 00:00:00.000000' WHERE kind = 'upkeep'"),
        "warning  last upkeep: ended",
    ),
    "a feed that is not read": (
        lambda i: i.sql("UPDATE feeds SET fetched_at = '2026-01-01 00:00:00.000000'"),
        "warning  last ingest: ended",
    ),
    "digests that never ran": (
        lambda i: i.sql("DELETE FROM runs WHERE kind = 'digest'"),
        "warning  last digest: none yet",
    ),
    # feed and clock
    "a feed that is broken": (
        lambda i: i.forum.answers.update({"/feed.rss": (500, "")}),
        "failed   feed: http.* answered 500",
    ),
    "a page in place of the feed": (
        lambda i: i.forum.answers.update({"/feed.rss": (200, "<!DOCTYPE html><p>Wait.</p>")}),
        "failed   feed: http.* is not a plain RSS feed",
    ),
    "a feed of something else": (
        lambda i: i.forum.answers.update(
            {"/feed.rss": (200, '<rss version="2.0"><channel><title>x</title></channel></rss>')}
        ),
        "failed   feed: none of its 0 posts is a weekly one",
    ),
    "a clock that is wrong": (
        lambda i: setattr(i, "clock_is_ahead", timedelta(minutes=10)),
        "failed   clock: (599|600|601) seconds ahead of the forum's",
    ),
    # Prefect
    "Prefect not named": (
        lambda i: i.environment.delenv("PREFECT_API_URL"),
        "warning  Prefect: PREFECT_API_URL is not set",
    ),
    "Prefect named in .env and down": (
        _name_prefect_in_env,
        "failed   Prefect: http://127.0.0.1:1/api does not answer",
    ),
    "Prefect down": (
        lambda i: i.environment.setenv("PREFECT_API_URL", f"{CLOSED}/api"),
        "failed   Prefect: http://127.0.0.1:1/api does not answer",
    ),
    "an address that is not Prefect's": (
        lambda i: i.environment.setenv("PREFECT_API_URL", i.prefect.url),
        "failed   Prefect: http.* is no Prefect API",
    ),
    "no prefect.yaml": (
        lambda i: (i.folder / "prefect.yaml").unlink(),
        "warning  deployments: there is no prefect.yaml here",
    ),
    "a deployment missing": (
        lambda i: i.prefect.answers.pop(f"/api/deployments/name/{WEEKLY}"),
        f"failed   deployment {WEEKLY}: is missing",
    ),
    "a deployment paused": (
        lambda i: i.deployment(WEEKLY, paused=True),
        f"failed   deployment {WEEKLY}: is paused",
    ),
    "a schedule paused": (
        lambda i: i.deployment(WEEKLY, schedules=[{"active": False, "schedule": SEOUL}]),
        f"failed   deployment {WEEKLY}: has no active schedule",
    ),
    "a schedule by another clock": (
        lambda i: i.deployment(
            WEEKLY, schedules=[{"active": True, "schedule": {**SEOUL, "timezone": "UTC"}}]
        ),
        f"warning  deployment {WEEKLY}: runs by the clock of UTC, PAPERBOY_TIMEZONE is Asia/Seoul",
    ),
    "no worker": (
        lambda i: i.prefect.answers.update({"/api/work_pools/paperboy/workers/filter": (200, "[]")}),
        "failed   work pool paperboy: has no worker online",
    ),
    "no work pool": (
        lambda i: i.prefect.answers.pop("/api/work_pools/paperboy"),
        "failed   work pool paperboy: is missing",
    ),
    "a scheduler that makes no runs": (
        lambda i: i.prefect.answers.update({"/api/flow_runs/filter": (200, "[]")}),
        "failed   scheduled runs: none are ahead",
    ),
    "runs that are late": (
        lambda i: i.prefect.answers.update({"/api/flow_runs/count": (200, "3")}),
        "warning  late runs: 3 runs are late",
    ),
    # pages
    "pages without TLS": (
        _serve_without_tls,
        "failed   one-click: List-Unsubscribe has no https:// link",
    ),
    "pages down": (
        lambda i: i.set("BASE_URL", "https://127.0.0.1:1"),
        "failed   pages: https://127.0.0.1:1/health does not answer",
    ),
    "pages without their database": (
        lambda i: i.pages.answers.update({"/health": (503, "{}")}),
        "failed   pages: they answer 503",
    ),
    "another site in place of the pages": (
        lambda i: i.pages.answers.clear(),
        "failed   pages: https.* answers 404",
    ),
    # mail servers
    "a mail server down": (
        lambda i: i.set("SMTP_URL", "smtps://127.0.0.1:1"),
        "failed   mail server 127.0.0.1:1: refused at connect: .* -> see that the server runs",
    ),
    "a mail server with another's certificate": (
        lambda i: i.replace_mail_server(tls=i.certificate("other.example"), login=LOGIN),
        "failed   mail server .*: refused at tls: .*certificate verify failed.* -> mend the server's certificate",
    ),
    "a mail server whose certificate ends soon": (
        lambda i: i.replace_mail_server(tls=_soon(i), login=LOGIN),
        "warning  mail server .*: .* the certificate expires on",
    ),
    "a mail server without TLS": (
        lambda i: i.replace_mail_server(),
        "failed   mail server .*: refused at tls: the server does not offer STARTTLS",
    ),
    "a wrong password": (
        lambda i: setattr(i.mail, "login", ("paperboy", "another")),
        "failed   mail server .*: refused at login: 535",
    ),
    "a sender refused": (
        lambda i: setattr(i.mail, "on_mail", "553 5.7.1 Not your domain"),
        "failed   mail server .*: refused at mail: 553",
    ),
    "a mail server that hangs": (
        _let_the_mail_server_hang,
        "failed   mail server .*: no answer within",
    ),
    # DNS
    "no SPF": (lambda i: i.names.records.pop(SPF), "failed   SPF: paperboy.example has no record"),
    "two SPF records": (
        lambda i: i.names.records[SPF].append("v=spf1 -all"),
        "failed   SPF: paperboy.example has 2 records",
    ),
    "SPF without the server": (
        lambda i: i.names.records.update({SPF: ["v=spf1 ip4:198.51.100.1 -all"]}),
        f"warning  SPF: does not let {SENDS_FROM} send",
    ),
    "SPF that includes itself": (
        lambda i: i.names.records.update({SPF: ["v=spf1 include:paperboy.example -all"]}),
        "failed   SPF: takes more than 10 lookups",
    ),
    "no DKIM key": (lambda i: i.names.records.pop(DKIM), "failed   DKIM: there is no public key at"),
    "another DKIM key": (
        lambda i: i.names.records.update({DKIM: [public_key(rsa.generate_private_key(65537, 2048))]}),
        "failed   DKIM: the public key at .* does not fit",
    ),
    "no DKIM here": (lambda i: i.set("DKIM_KEY_FILE", ""), "warning  DKIM: the mail server signs, or nobody"),
    "no DMARC": (lambda i: i.names.records.pop(DMARC), "failed   DMARC: paperboy.example has no record"),
    "DMARC without a policy": (
        lambda i: i.names.records.update({DMARC: ["v=DMARC1; rua=mailto:x@example.org"]}),
        "failed   DMARC: the record at _dmarc.paperboy.example has no policy",
    ),
    "nobody who takes returned mails": (
        lambda i: i.names.records.pop(MX),
        "failed   MX: paperboy.example takes no mail",
    ),
    "an address without a name": (
        lambda i: i.names.records.pop(POINTER),
        f"failed   reverse DNS: {SENDS_FROM} has no name",
    ),
    "a name that leads elsewhere": (
        lambda i: i.names.records.update({ADDRESS: ["198.51.100.1"]}),
        f"failed   reverse DNS: {SENDS_FROM} is called mail.paperboy.example, which does not lead back",
    ),
}
