"""The probe: sends a mail through the mail server to the inbox of bounces, finds it there and judges what became of it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.parser import BytesHeaderParser

from bounces.inbox import find_mail
from bounces.probe_verdict import judge
from core.errors import PaperboyError
from core.settings import Settings
from delivery.transport.base import SendError, Transport, send_one
from emails.identity import MailIdentity, ascii_address
from monitoring.findings import Finding, failed, ok
from monitoring.probe_mail import PROBE_FIELD, marked_probe_mail

MIN_SECONDS_BETWEEN_LOOKS = 1
CLOCK_TOLERANCE = timedelta(minutes=5)  # between this machine and the one that stores the mails


class ProbeError(PaperboyError):
    """No probe can be made. The message says which setting is missing."""


@dataclass(frozen=True)
class ProbeRules:
    """Where probes go and how they are judged: the settings whose names begin with PROBE, and the inbox."""

    addresses: Sequence[str]
    inbox_url: str
    authserv_id: str
    seconds: int


@dataclass(frozen=True)
class _SentProbe:
    """A probe on its way. `sent_at` is in seconds of the monotonic clock."""

    address: str
    mark: str
    sent_at: float


def probe_rules(settings: Settings, identity: MailIdentity) -> ProbeRules:
    """The rules in the settings. Without an address the probe goes where bounces go.

    Raises:
        ProbeError: there is no mail server or no inbox.
    """
    if settings.smtp_url is None:
        raise ProbeError("PAPERBOY_SMTP_URL is not set, so no probe can be sent: see docs/watching.md")
    if settings.inbox_url is None:
        raise ProbeError("PAPERBOY_INBOX_URL is not set, so no probe can be read: see docs/watching.md")
    addresses = [ascii_address(address) for address in settings.probe_to] or [f"bounces@{identity.domain}"]
    inbox_url = settings.inbox_url.get_secret_value()
    return ProbeRules(addresses, inbox_url, settings.probe_authserv_id, settings.probe_seconds)


def run_probe(
    transport: Transport, identity: MailIdentity, rules: ProbeRules, clock: Callable[[], datetime]
) -> list[Finding]:
    """Send a probe to each address, wait for all of them, and judge those that came in time.

    Raises:
        InboxError: the inbox cannot be opened or read.
    """
    since = clock() - CLOCK_TOLERANCE
    found: list[Finding] = []
    waiting: list[_SentProbe] = []
    for address in rules.addresses:
        mark, mail = marked_probe_mail(identity, address, clock())
        try:
            send_one(transport, mail)
        except SendError as error:
            remedy = "run `paperboy doctor`, which checks the mail server"
            found.append(
                failed(f"arrival at {address}", f"the probe was not sent: {error.anonymous}", remedy)
            )
        else:
            waiting.append(_SentProbe(address, mark, time.monotonic()))
    return [*found, *_wait(waiting, identity, rules, since)]


def _wait(
    sent: Sequence[_SentProbe], identity: MailIdentity, rules: ProbeRules, since: datetime
) -> Iterator[Finding]:
    waiting, started = list(sent), time.monotonic()
    while waiting:
        passed = time.monotonic() - started
        for probe in list(waiting):
            raw = find_mail(rules.inbox_url, PROBE_FIELD, probe.mark, since)
            if raw is not None:
                waiting.remove(probe)
                yield from _judge(raw, probe, identity, rules)
        if not waiting or passed >= rules.seconds:
            break
        # Looks become rarer, so that the delay is known to a tenth, and a server is not asked for a login every second.
        time.sleep(max(MIN_SECONDS_BETWEEN_LOOKS, passed / 10))
    for probe in waiting:
        remedy = "see the log of the mail server, and whether this address leads to PAPERBOY_INBOX_URL"
        yield failed(
            f"arrival at {probe.address}", f"the probe did not come within {rules.seconds} seconds", remedy
        )


def _judge(raw: bytes, probe: _SentProbe, identity: MailIdentity, rules: ProbeRules) -> Iterator[Finding]:
    delay = time.monotonic() - probe.sent_at
    yield ok(f"arrival at {probe.address}", f"the probe came after {delay:.0f} seconds")
    yield from judge(BytesHeaderParser().parsebytes(raw), probe.address, identity.domain, rules.authserv_id)


def is_probe(raw: bytes) -> bool:
    """Whether a mail in the inbox is a probe, which says nothing about any subscriber."""
    return PROBE_FIELD in BytesHeaderParser().parsebytes(raw)
