"""The mail server's log says what was sent: after a backup was restored, and of mails that are uncertain."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from core.database import Sessions
from delivery import events, queries

LINES_PER_TRANSACTION = 1_000


@dataclass(frozen=True)
class RestoreResult:
    """How many deliveries were settled as sent, how many are sent again, and how many are left to send in all.

    `lines` counts the lines of the log, and `named` the mails of ours that it names, whatever their state was.
    """

    sent: int
    again: int
    left: int
    lines: int
    named: int


def reconcile(
    sessions: Sessions,
    log: Iterable[str],
    *,
    domain: str,
    now: datetime,
    complete_since: datetime | None = None,
) -> RestoreResult:
    """Settle everything that is under way or uncertain and whose Message-ID the log names. Nothing else in it matters.

    The log is that of a mail server (or any text) with the mails it accepted since the backup. A mail that it
    accepted and refused afterwards is a bounce. If it names every mail `complete_since` a time, mails that were planned
    since then and are uncertain for good are sent again unless it names them. A log that names no mail of ours is no
    proof.
    """
    message_id = re.compile(rf"\b[0-9a-f]{{32}}@{re.escape(domain)}\b")
    sent = read = named = 0
    lines = iter(log)
    while chunk := list(islice(lines, LINES_PER_TRANSACTION)):
        ids = list(dict.fromkeys(message_id.findall("".join(chunk))))
        read, named = read + len(chunk), named + len(ids)
        with sessions.begin() as session:
            sent += events.confirm_sent(session, ids, now)
    with sessions.begin() as session:
        again = events.plan_uncertain_again(session, complete_since, now) if complete_since and named else 0
        return RestoreResult(sent, again, queries.count_left(session, None), read, named)
