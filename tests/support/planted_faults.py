"""Faults that tests plant in a healthy installation, each with the line that the doctor should print for it."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.schema import open_database
from paperboy.doctor import smtp_servers
from tests.support.installation import LOGIN, Installation
from tests.support.outbox import plan_mails
from tests.support.planted_dns_faults import DNS_FAULTS, Plant
from tests.support.servers.smtp import HANG

WEEKLY = "digest/weekly"
SEOUL_SCHEDULE = {"cron": "0 8 * * 1", "timezone": "Asia/Seoul"}
CLOSED_PORT_URL = "http://127.0.0.1:1"


def _make_mail_overdue(installation: Installation, state: str) -> None:
    """Add a mail in a state that should have gone out long ago."""
    opened = open_database(f"sqlite:///{installation.database}")
    plan_mails(opened, 1)
    opened.engine.dispose()
    installation.execute_sql(f"UPDATE deliveries SET state = '{state}', due_at = planned_at")  # noqa: S608


def make_read_only(file: Path) -> None:
    """Make SQLite open a file read-only, by the write version in its header (SQLite file format, 1.3.3).

    The permissions of the file would not do, as root may ignore them.
    """
    with file.open("r+b") as opened:
        opened.seek(18)
        opened.write(b"\x03")


def _tls_that_expires_soon(installation: Installation) -> ssl.SSLContext:
    return installation.server_tls("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=5))


def _set_prefect_in_env_file(installation: Installation) -> None:
    installation.environment.delenv("PREFECT_API_URL")
    (installation.folder / ".env").write_text(f"PREFECT_API_URL={CLOSED_PORT_URL}/api\n")


def _serve_without_tls(installation: Installation) -> None:
    installation.forum.answers.update(installation.pages.answers)
    installation.set_setting("BASE_URL", installation.forum.url)


def _make_mail_server_hang(installation: Installation) -> None:
    installation.environment.setattr(smtp_servers, "TIMEOUT_SECONDS", 0.3)
    installation.mail_server.on_ehlo = HANG


FAULTS: dict[str, tuple[Plant, str]] = {
    # settings
    "a mistyped setting": (
        lambda i: i.set_setting("SMPT_URL", "smtp://x"),
        "warning  settings: PAPERBOY_SMPT_URL is not a setting",
    ),
    "no operator": (lambda i: i.set_setting("OPERATOR", ""), "warning  settings: PAPERBOY_OPERATOR is empty"),
    "an invalid SMTP URL": (
        lambda i: i.set_setting("SMTP_URL", "mail.example"),
        "failed   settings: PAPERBOY_SMTP_URL must look like",
    ),
    "a secret key that others can read": (
        lambda i: (i.folder / "var" / "secret_key").chmod(0o644),
        "warning  secret key: other users can read var/secret_key (mode 644) -> chmod 600",
    ),
    "a secret key that was cut off": (
        lambda i: (i.folder / "var" / "secret_key").write_bytes(b"0"),
        "failed   secret key: var/secret_key has only 1 bytes",
    ),
    # versions
    "pages that were not started anew after an upgrade": (
        lambda i: i.pages.answers.update({"/api/openapi.json": (200, '{"info": {"version": "0.0.9"}}')}),
        "failed   pages version: 0.0.9, and here it is ",
    ),
    "pages that hide their version": (
        lambda i: i.pages.answers.update({"/api/openapi.json": (403, "no")}),
        "warning  pages version: the pages do not tell it",
    ),
    "a worker that was not started anew after an upgrade": (
        lambda i: i.execute_sql("UPDATE runs SET version = '0.0.9'"),
        "warning  worker version: 0.0.9 at the last run, and here it is ",
    ),
    # database
    "no database": (lambda i: i.database.unlink(), "failed   database: there is no file"),
    "a database of an earlier version": (
        lambda i: i.execute_sql("UPDATE alembic_version SET version_num = '0002'"),
        "failed   database: is at version 0002, but this Paperboy needs",
    ),
    "a database of a later version": (
        lambda i: i.execute_sql("UPDATE alembic_version SET version_num = '9999'"),
        "failed   database: is at version 9999, which is newer",
    ),
    "an empty database": (lambda i: i.database.write_bytes(b""), "failed   database: has no tables yet"),
    "a garbled database": (
        lambda i: i.database.write_bytes(b"garbage" * 1000),
        "failed   database: cannot be used: file is not a database",
    ),
    "a database that cannot be written": (
        lambda i: make_read_only(i.database),
        "failed   database: cannot be used: attempt to write a readonly database -> give the user",
    ),
    "overdue mails": (
        lambda i: _make_mail_overdue(i, "deferred"),
        "warning  outbox: mails overdue for more than an hour: 1",
    ),
    "mails that a dead sender has claimed": (
        lambda i: _make_mail_overdue(i, "sending"),
        "warning  outbox: mails claimed by a sender",
    ),
    "upkeep that does not run": (
        lambda i: i.execute_sql(
            "UPDATE runs SET finished_at = '2026-01-01 00:00:00.000000' WHERE kind = 'upkeep'"
        ),
        "warning  last upkeep: finished",
    ),
    "a feed that is not read": (
        lambda i: i.execute_sql("UPDATE feeds SET fetched_at = '2026-01-01 00:00:00.000000'"),
        "warning  last ingest: finished",
    ),
    "digests that never ran": (
        lambda i: i.execute_sql("DELETE FROM runs WHERE kind = 'digest'"),
        "warning  last digest: there was none yet",
    ),
    # feed and clock
    "a feed that is broken": (
        lambda i: i.forum.answers.update({"/feed.rss": (500, "")}),
        "failed   feed: http.* answered 500",
    ),
    "a web page in place of the feed": (
        lambda i: i.forum.answers.update({"/feed.rss": (200, "<!DOCTYPE html><p>Wait.</p>")}),
        "failed   feed: http.* is not a plain RSS feed",
    ),
    "a feed of something else": (
        lambda i: i.forum.answers.update(
            {"/feed.rss": (200, '<rss version="2.0"><channel><title>x</title></channel></rss>')}
        ),
        "failed   feed: none of its 0 posts is a weekly post",
    ),
    "a wrong clock": (
        lambda i: setattr(i, "clock_offset", timedelta(minutes=10)),
        "failed   clock: this machine is (599|600|601) seconds ahead of the forum",
    ),
    # Prefect
    "no Prefect server in the settings": (
        lambda i: i.environment.delenv("PREFECT_API_URL"),
        "warning  Prefect: PREFECT_API_URL is not set",
    ),
    "a Prefect server in .env that is down": (
        _set_prefect_in_env_file,
        "failed   Prefect: http://127.0.0.1:1/api does not answer",
    ),
    "a Prefect server that is down": (
        lambda i: i.environment.setenv("PREFECT_API_URL", f"{CLOSED_PORT_URL}/api"),
        "failed   Prefect: http://127.0.0.1:1/api does not answer",
    ),
    "a URL that is not Prefect's": (
        lambda i: i.environment.setenv("PREFECT_API_URL", i.prefect.url),
        "failed   Prefect: http.* is not a Prefect API",
    ),
    "no prefect.yaml": (
        lambda i: (i.folder / "prefect.yaml").unlink(),
        "warning  deployments: there is no prefect.yaml here",
    ),
    "a missing deployment": (
        lambda i: i.prefect.answers.pop(f"/api/deployments/name/{WEEKLY}"),
        f"failed   deployment {WEEKLY}: is missing",
    ),
    "a deployment of the version before": (
        lambda i: i.change_deployment("bounces/quarter-hourly", entrypoint="flows/bounces.py:bounces"),
        "failed   deployment bounces/quarter-hourly: runs flows/bounces.py:bounces, but prefect.yaml says "
        "flows/read_bounces.py:bounces",
    ),
    "a paused deployment": (
        lambda i: i.change_deployment(WEEKLY, paused=True),
        f"failed   deployment {WEEKLY}: is paused",
    ),
    "a paused schedule": (
        lambda i: i.change_deployment(WEEKLY, schedules=[{"active": False, "schedule": SEOUL_SCHEDULE}]),
        f"failed   deployment {WEEKLY}: has no active schedule",
    ),
    "a schedule in another time zone": (
        lambda i: i.change_deployment(
            WEEKLY, schedules=[{"active": True, "schedule": {**SEOUL_SCHEDULE, "timezone": "UTC"}}]
        ),
        f"warning  deployment {WEEKLY}: runs in the time zone UTC, but PAPERBOY_TIMEZONE is Asia/Seoul",
    ),
    "no worker": (
        lambda i: i.prefect.answers.update({"/api/work_pools/paperboy/workers/filter": (200, "[]")}),
        "failed   work pool paperboy: has no worker online",
    ),
    "no work pool": (
        lambda i: i.prefect.answers.pop("/api/work_pools/paperboy"),
        "failed   work pool paperboy: is missing",
    ),
    "a scheduler that creates no runs": (
        lambda i: i.prefect.answers.update({"/api/flow_runs/filter": (200, "[]")}),
        "failed   scheduled runs: there are none",
    ),
    "late runs": (
        lambda i: i.prefect.answers.update({"/api/flow_runs/count": (200, "3")}),
        "warning  late runs: 3 runs are late",
    ),
    # pages
    "pages without TLS": (
        _serve_without_tls,
        "failed   one-click: List-Unsubscribe has no https:// link",
    ),
    "pages that are down": (
        lambda i: i.set_setting("BASE_URL", "https://127.0.0.1:1"),
        "failed   pages: https://127.0.0.1:1/health does not answer",
    ),
    "pages without their database": (
        lambda i: i.pages.answers.update({"/health": (503, "{}")}),
        "failed   pages: they answer with status 503",
    ),
    "another site in place of the pages": (
        lambda i: i.pages.answers.clear(),
        "failed   pages: https.* answers with status 404",
    ),
    "a redirect for one-click requests": (
        lambda i: setattr(i.pages, "other_answer", (301, "")),
        "failed   one-click request: the link to unsubscribe answers a POST with a redirect",
    ),
    "a login in front of one-click requests": (
        lambda i: setattr(i.pages, "other_answer", (403, "")),
        "failed   one-click request: the link to unsubscribe answers a POST with status 403",
    ),
    # mail servers
    "a warm-up that is over": (
        lambda i: i.set_setting("WARM_UP_FROM", "2025-01-01"),
        "warning  warm-up: it ended on 2025-01-30, so PAPERBOY_WARM_UP_FROM has no effect any more -> remove",
    ),
    "a mail server that is down": (
        lambda i: i.set_setting("SMTP_URL", "smtps://127.0.0.1:1"),
        "failed   mail server 127.0.0.1:1: failed at connect: .* -> check that the server runs",
    ),
    "a mail server with a certificate for another host": (
        lambda i: i.replace_mail_server(tls=i.server_tls("other.example"), login=LOGIN),
        "failed   mail server .*: failed at tls: .*certificate verify failed.* -> correct the server's certificate",
    ),
    "a mail server whose certificate expires soon": (
        lambda i: i.replace_mail_server(tls=_tls_that_expires_soon(i), login=LOGIN),
        "warning  mail server .*: .* the certificate expires on",
    ),
    "a mail server without TLS": (
        lambda i: i.replace_mail_server(),
        "failed   mail server .*: failed at tls: the server does not offer STARTTLS",
    ),
    "a wrong password": (
        lambda i: setattr(i.mail_server, "login", ("paperboy", "another")),
        "failed   mail server .*: failed at login: 535",
    ),
    "a sender that the server refuses": (
        lambda i: setattr(i.mail_server, "on_mail", "553 5.7.1 Not your domain"),
        "failed   mail server .*: failed at mail: 553",
    ),
    "a mail server that hangs": (
        _make_mail_server_hang,
        "failed   mail server .*: no answer within",
    ),
    **DNS_FAULTS,
}
