"""Upkeep between digests: retries, issues that came late, sign-ups to answer or drop, pauses that end."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from core.frequencies import Frequency
from core.rate_storage import DatabaseStorage
from core.run_log import RunKind, record_run
from delivery.context import SendingContext
from delivery.report import DigestReport
from mailings.account_mails import answer_signup_requests, expire_sign_ups
from mailings.context import MailingRules
from mailings.digest_run import run_slot, send_retries
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
    with context.database.sessions.begin() as session:
        expired = expire_sign_ups(session, local_now)
        resumed = resume_due(session, local_now, local_now.date())
        answered = len(answer_signup_requests(session, context.identity, local_now))
    DatabaseStorage(context.database).delete_expired()
    report = UpkeepReport(expired, resumed, answered, send_retries(context, rules=rules))
    if not report.retries.stopped:
        report.late = list(_send_late_issues(context, local_now, rules))
    with context.database.sessions.begin() as session:
        record_run(session, RunKind.UPKEEP, {**report.counts, **report.retries.as_json()}, local_now)
    return report


def _send_late_issues(
    context: SendingContext, local_now: datetime, rules: MailingRules
) -> Iterator[DigestReport]:
    for frequency in Frequency:
        with context.database.sessions() as session:
            slots = late_slots(session, frequency, local_now, rules)
        for slot in slots:
            yield run_slot(context, slot, local_now=local_now, rules=rules)
