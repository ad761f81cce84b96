"""Upkeep between digests: retries, issues that came late, sign-ups to answer or drop, pauses that end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from core.database import retry_while_away, transact
from core.frequencies import Frequency
from core.rate_storage import DatabaseStorage
from core.run_log import RunKind, record_run
from delivery.context import SendingContext
from delivery.report import DigestReport
from emails.identity import MailIdentity
from mailings.account_mails import answer_signup_requests, expire_sign_ups
from mailings.context import MailingRules
from mailings.digest_run import run_digest, send_retries
from mailings.late_issues import late_slots
from subscribers.accounts import resume_due


@dataclass
class UpkeepReport:
    """What one upkeep did. `late` are the digests of issues that came after the digest of their slot."""

    expired: int
    resumed: int
    answered: int
    retries: DigestReport
    late: list[DigestReport] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """What was done for accounts."""
        return {"expired": self.expired, "resumed": self.resumed, "answered": self.answered}

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or empty if it need not."""
        return "; ".join(report.fault for report in (self.retries, *self.late) if report.fault)


def run_upkeep(context: SendingContext, *, local_now: datetime, rules: MailingRules) -> UpkeepReport:
    """See to accounts, send what is due again, and send issues that came late."""
    expired, resumed, answered = transact(
        context.database.sessions, lambda session: _see_to_accounts(session, context.identity, local_now)
    )
    retry_while_away(DatabaseStorage(context.database).delete_expired)
    report = UpkeepReport(expired, resumed, answered, send_retries(context, rules=rules))
    if not report.retries.stopped:
        report.late = list(_send_late_issues(context, local_now, rules))
    result = {**report.counts, **report.retries.as_json()}
    transact(
        context.database.sessions,
        lambda session: record_run(session, RunKind.UPKEEP, result, local_now),
    )
    return report


def _see_to_accounts(session: Session, identity: MailIdentity, now: datetime) -> tuple[int, int, int]:
    """How many sign-ups expired, pauses ended, and sign-up requests were answered."""
    expired = expire_sign_ups(session, now)
    resumed = resume_due(session, now, now.date())
    return expired, resumed, len(answer_signup_requests(session, identity, now))


def _send_late_issues(
    context: SendingContext, local_now: datetime, rules: MailingRules
) -> Iterator[DigestReport]:
    for frequency in Frequency:
        slots = transact(
            context.database.sessions,
            partial(late_slots, frequency=frequency, local_now=local_now, rules=rules),
        )
        for slot in slots:
            yield run_digest(context, frequency, local_now=local_now, rules=rules, slot=slot)
