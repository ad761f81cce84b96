"""The whole checkup: collects the checks of all subjects, runs them at once, and returns their findings."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import dns.resolver
from sqlalchemy import make_url

from core.settings import Settings
from delivery.context import Clock
from delivery.providers import Provider
from delivery.transport.base import SendError, send_one
from delivery.transport.smtp.server import SmtpServer
from emails.identity import MailIdentity
from mailings.context import open_transport, public_identity
from monitoring.alarms import PROVIDERS_GUIDE
from monitoring.findings import Finding, failed, ok, warning
from monitoring.probe_mail import probe_mail
from paperboy.doctor import (
    clock_offset,
    configuration,
    database,
    dns_records,
    feed,
    prefect_server,
    smtp_servers,
    warm_up,
    web_pages,
)
from paperboy.doctor.checks import Check, run_checks
from paperboy.doctor.dns_client import DnsClient

TIMEOUT_SECONDS = 10  # for all checks together
DATABASE_CONNECT_TIMEOUT_SECONDS = 4
_RECIPIENT = "nobody@paperboy.invalid"  # of the mail whose headers are checked; it is never sent
# Signs the links of that mail, which belong to no subscriber, so it need not be a secret.
_LINK_KEY = b"of test mails: no link"
_PROVIDERS = f"{', '.join(Provider)} have rules and pages for senders of their own: see {PROVIDERS_GUIDE} for where to register"


def run_checkup(
    clock: Clock, *, send_to: str = "", sends_from: str = "", resolver: dns.resolver.Resolver | None = None
) -> list[Finding]:
    """Check everything that Paperboy depends on, without changing anything.

    A test mail is sent only if `send_to` names an address. `sends_from` is the IP address that mails come
    from, if it is not the mail server's own. Without a `resolver`, that of this machine is asked.
    """
    loaded = configuration.check_settings()
    settings = loaded.settings
    if settings is None:
        problem = "all other checks were left out, as they need the settings"
        return [*loaded.findings, warning("checkup", problem, "correct the settings first")]
    checks, found = list(_checks_of_stores(settings, clock)), list(loaded.findings)
    try:
        identity = replace(public_identity(settings), key=_LINK_KEY, signer=loaded.signer)
        dns_client = DnsClient(resolver)
        checks += _checks_of_mail(settings, identity, loaded.servers, dns_client, sends_from, clock)
    except ValueError as error:  # for example a domain that IDNA does not allow
        found.append(failed("sender", f"no mail can be written: {error}", "correct PAPERBOY_SENDER"))
    else:
        if send_to:
            checks.append(Check("test mail", lambda: _send_test_mail(settings, identity, send_to, clock)))
    return [*found, *run_checks(checks, TIMEOUT_SECONDS)]


def exit_code(findings: list[Finding]) -> int:
    """1 if a check failed, so that monitoring notices it. Warnings give 0."""
    return int(any(finding.state == "failed" for finding in findings))


def _checks_of_stores(settings: Settings, clock: Clock) -> Iterator[Check]:
    """The checks of everything but mail: keys, database, feed, clock and Prefect."""
    url, feed_url = _with_short_timeout(settings.database_url), settings.feed_url
    prefect_file = Path("prefect.yaml")
    yield Check("secret key", lambda: configuration.check_secret_key(settings))
    yield Check("database", lambda: database.check(url, clock()))
    yield Check("feed", lambda: feed.check(feed_url, settings.allowed_hosts))
    yield Check("clock", lambda: clock_offset.check(feed_url, url, settings.zone, clock))
    yield Check(
        "Prefect",
        lambda: prefect_server.check(
            prefect_server.load_prefect_settings(),
            prefect_file,
            settings.timezone,
            reads_inbox=settings.inbox_url is not None,
        ),
    )


def _with_short_timeout(database_url: str) -> str:
    """The URL of the database with a connect timeout that fits into the time of the whole checkup."""
    address = make_url(database_url)
    if address.get_backend_name() == "postgresql":
        address = address.update_query_dict({"connect_timeout": str(DATABASE_CONNECT_TIMEOUT_SECONDS)})
    return address.render_as_string(hide_password=False)


def _checks_of_mail(
    settings: Settings,
    identity: MailIdentity,
    servers: Sequence[SmtpServer],
    dns_client: DnsClient,
    sends_from: str,
    clock: Clock,
) -> Iterator[Check]:
    mail = probe_mail(identity, _RECIPIENT, clock())
    yield Check(warm_up.NAME, lambda: warm_up.check(settings, clock()))
    yield Check("one-click", lambda: web_pages.check_one_click(mail))
    yield Check("pages", lambda: web_pages.check_pages(settings.base_url, mail))
    if settings.smtp_url is None:
        yield Check("mail server", lambda: [_no_mail_server(settings)])
    else:
        yield from smtp_servers.checks(servers, mail.envelope_from, clock())
        hosts = [server.host for server in servers]
        yield from dns_records.checks(dns_client, identity, hosts, sends_from)
        yield Check("providers", lambda: [ok("providers", _PROVIDERS)])


def _no_mail_server(settings: Settings) -> Finding:
    problem = (
        f"PAPERBOY_SMTP_URL is not set, so mails stay in {settings.mailbox_dir} and the DNS was not checked"
    )
    return warning("mail server", problem, "set it to the server that sends for your domain")


def _send_test_mail(
    settings: Settings, identity: MailIdentity, address: str, clock: Clock
) -> Iterator[Finding]:
    mail = probe_mail(identity, address, clock())
    try:
        with open_transport(settings) as transport:
            reply = send_one(transport, mail)
    except SendError as error:
        yield failed("test mail", f"failed at {error.anonymous}", "see the line of the mail server")
    else:
        yield ok("test mail", f"sent to {address}: {reply}")
