"""After a restore: what the backup does not know to be sent, the mail server's log does."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from core.database import Sessions
from delivery import events, queries

AT_ONCE = 1_000  # lines of a log


@dataclass(frozen=True)
class Reconciled:
    """How many deliveries were settled as sent, and how many are left to send."""

    sent: int
    left: int


def reconcile(sessions: Sessions, log: Iterable[str], *, domain: str, now: datetime) -> Reconciled:
    """Settle what is under way and whose Message-ID the log names; nothing else of the log is looked at.

    The log is that of a mail server (or any text) with the mails it took since the backup; a mail that it
    named and then refused is one that came back.
    """
    ours = re.compile(rf"\b[0-9a-f]{{32}}@{re.escape(domain)}\b")
    sent = 0
    lines = iter(log)
    while some := list(islice(lines, AT_ONCE)):
        named = list(dict.fromkeys(ours.findall("".join(some))))
        with sessions.begin() as session:
            sent += events.found_sent(session, named, now)
    with sessions() as session:
        return Reconciled(sent, queries.count_left(session, None))
