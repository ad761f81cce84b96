"""The whole checkup: which checks there are, and what each of them is given."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import dns.resolver
from sqlalchemy import make_url

from core.settings import Settings
from delivery.sender import Clock
from delivery.transport.mailbox import embedded_mailbox
from delivery.transport.pool import Transport, parse_addresses, send_one
from delivery.transport.smtp.connection import SmtpAddress
from delivery.transport.smtp.replies import Refusal
from emails.message import House
from monitoring.probe_mail import trial_mail
from paperboy.doctor import (
    clock,
    configuration,
    database,
    dns_records,
    feed,
    prefect_server,
    smtp_servers,
    web_pages,
)
from paperboy.doctor.findings import Check, Finding, failed, look_at_all, ok, warning

PATIENCE = 10  # seconds for everything together
CONNECT = "4"  # seconds for a connection to a database server
_NOBODY = "nobody@paperboy.invalid"  # the test mail is looked at, not sent


def examine(
    now: Clock, *, send_to: str = "", sends_from: str = "", resolver: dns.resolver.Resolver | None = None
) -> list[Finding]:
    """Look at everything. Nothing is changed, and nothing sent unless `send_to` names an address.

    `sends_from` is the IP address that the mail server sends from, where that is not its own.
    """
    equipment = configuration.read()
    settings = equipment.settings
    if settings is None:
        said = "everything else was not looked at, as it needs the settings"
        return [*equipment.findings, warning("checkup", said, "correct them first")]
    checks, found = list(_of_stores(settings, now)), list(equipment.findings)
    try:
        house = House(settings.sender, settings.base_url, b"of test mails: no link", equipment.signer)
        names = dns_records.Names(resolver)
        checks += _of_mails(settings, house, equipment.servers, names, sends_from, now)
    except ValueError as error:
        found.append(failed("sender", f"no mail can be written: {error}", "correct PAPERBOY_SENDER"))
    else:
        if send_to:
            checks.append(Check("test mail", lambda: _send(settings, house, send_to, now)))
    return [*found, *look_at_all(checks, PATIENCE)]


def exit_code(findings: list[Finding]) -> int:
    """1 if anything failed, for monitors; warnings are no failure."""
    return int(any(finding.state == "failed" for finding in findings))


def _of_stores(settings: Settings, now: Clock) -> Iterator[Check]:
    url, feed_url = _impatient(settings.database_url), settings.feed_url
    yield Check("secret key", lambda: configuration.check_key(settings))
    yield Check("database", lambda: database.check(url, now()))
    yield Check("feed", lambda: feed.check(feed_url, settings.allowed_hosts))
    yield Check("clock", lambda: clock.check(feed_url, url, settings.zone, now))
    file = Path("prefect.yaml")
    yield Check(
        "Prefect", lambda: prefect_server.check(prefect_server.own_settings(), file, settings.timezone)
    )


def _impatient(url: str) -> str:
    """A database's address with a short wait, where it is a server's."""
    address = make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.update_query_dict({"connect_timeout": CONNECT})
    return address.render_as_string(hide_password=False)


def _of_mails(
    settings: Settings,
    house: House,  # its key is no secret: the links of a test mail are nobody's
    addresses: Sequence[SmtpAddress],
    names: dns_records.Names,
    sends_from: str,
    now: Clock,
) -> Iterator[Check]:
    mail = trial_mail(house, _NOBODY, now())
    yield Check("one-click", lambda: web_pages.check_one_click(mail))
    yield Check("pages", lambda: web_pages.check_pages(settings.base_url))
    if settings.smtp_url is None:
        yield Check("mail server", lambda: [_no_server(settings)])
    else:
        yield from smtp_servers.checks(addresses, mail.envelope_from, now())
        yield from dns_records.checks(names, house, mail, [address.host for address in addresses], sends_from)


def _no_server(settings: Settings) -> Finding:
    said = f"PAPERBOY_SMTP_URL is not set: mails stay in {settings.mailbox_dir}, the DNS was not looked at"
    return warning("mail server", said, "set it to the server that sends for your domain")


def _send(settings: Settings, house: House, address: str, now: Clock) -> Iterator[Finding]:
    mail = trial_mail(house, address, now())
    try:
        if settings.smtp_url:
            reply = send_one(Transport(parse_addresses(settings.smtp_url.get_secret_value())), mail)
        else:
            with embedded_mailbox(settings.mailbox_dir) as url:
                reply = send_one(Transport(parse_addresses(url)), mail)
    except Refusal as refusal:
        yield failed("test mail", f"refused at {refusal.unaddressed}", "see the line of the mail server")
    else:
        yield ok("test mail", f"sent to {address}: {reply}")
