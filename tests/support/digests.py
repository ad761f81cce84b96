"""What tests of digests share: running a digest, stopping one, and reading the mails of a subscriber."""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default as modern_policy

from core.database import Database
from core.frequencies import Frequency
from delivery.report import DigestReport
from mailings.digest_run import run_digest
from tests.support.factories import NOW, RULES, sending_context_at
from tests.support.servers.smtp import ScriptedServer


def digest(
    database: Database,
    server: ScriptedServer,
    frequency: Frequency = Frequency.WEEKLY,
    *,
    after: timedelta = timedelta(),
) -> DigestReport:
    """Run a digest whose numbers balance."""
    now = NOW + after
    with sending_context_at(database, server, now) as context:
        report = run_digest(context, frequency, local_now=now, rules=RULES)
    assert report.balances
    return report


def stopped_digest(database: Database) -> DigestReport:
    """Plan a digest that stops because the server refuses the sender."""
    with ScriptedServer(on_mail="550 5.7.1 Sender refused") as refusing:
        return digest(database, refusing)


def bodies_of(server: ScriptedServer, address: str) -> list[str]:
    """The text parts of the mails to one subscriber, in order."""
    texts = []
    for message in server.messages:
        if message.rcpt == [address]:
            part = message_from_bytes(message.data, policy=modern_policy).get_body(("plain",))
            assert part
            texts.append(part.get_content())
    return texts
