"""Upkeep between digests: retries, digests that had to wait, sign-ups to answer or drop, pauses that end."""

from dataclasses import dataclass, field
from datetime import datetime

from core.frequencies import Frequency
from core.rate_storage import DatabaseStorage
from core.run_log import RunKind, last_run_of_slot, record_run
from core.slots import digest_slot
from delivery.context import SendingContext
from delivery.report import DigestReport
from mailings.account_mails import answer_signup_requests, expire_sign_ups
from mailings.context import MailingRules
from mailings.digest_run import run_digest, send_retries
from subscribers.accounts import resume_due


@dataclass
class UpkeepReport:
    """What one upkeep did. `late` are digests that were run again because some papers were not quiet before."""

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
    """See to accounts, send what is due again, and run digests that had to wait for papers."""
    with context.database.sessions.begin() as session:
        expired = expire_sign_ups(session, local_now)
        resumed = resume_due(session, local_now, local_now.date())
        answered = len(answer_signup_requests(session, context.identity, local_now))
    DatabaseStorage(context.database).delete_expired()
    report = UpkeepReport(expired, resumed, answered, send_retries(context, rules=rules))
    if not report.retries.stopped:
        report.late = [
            run_digest(context, frequency, local_now=local_now, rules=rules)
            for frequency in Frequency
            if _had_to_wait(context, digest_slot(frequency, local_now))
        ]
    with context.database.sessions.begin() as session:
        record_run(session, RunKind.UPKEEP, {**report.counts, **report.retries.as_json()}, local_now)
    return report


def _had_to_wait(context: SendingContext, slot: str) -> bool:
    with context.database.sessions() as session:
        run = last_run_of_slot(session, RunKind.DIGEST, slot)
        return bool(run and run.waiting)
