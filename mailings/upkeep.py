"""Upkeep between digests: retries, late digests, sign-ups to answer or to drop, pauses that end, old mail to drop."""

from dataclasses import dataclass, field
from datetime import datetime

from bounces import handler
from core.run_log import last_of, record
from delivery.report import DigestReport
from delivery.sender import Office
from emails.edition import slot_of
from mailings.account_mails import answer_applications, expire_sign_ups
from mailings.digest_run import Rules, retry, run_digest
from subscribers.accounts import resume_due
from subscribers.models import FREQUENCIES
from subscribers.signup_limits import DatabaseStorage


@dataclass
class UpkeepReport:
    """What one upkeep did; `late` are digests run again because papers had to settle the first time."""

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
        """Why the run must count as failed, or nothing."""
        return "; ".join(report.fault for report in (self.retries, *self.late) if report.fault)


def upkeep(office: Office, *, local_now: datetime, rules: Rules) -> UpkeepReport:
    """Send what is due again, run digests that waited for papers, and see to accounts."""
    with office.database.sessions.begin() as session:
        expired = expire_sign_ups(session, local_now)
        resumed = resume_due(session, local_now, local_now.date())
        handler.prune(session, local_now)
        answered = len(answer_applications(session, office.house, local_now))
    DatabaseStorage(office.database).drop_expired()
    report = UpkeepReport(expired, resumed, answered, retry(office, rules=rules))
    if not report.retries.stopped:
        report.late = [
            run_digest(office, frequency, local_now=local_now, rules=rules)
            for frequency in FREQUENCIES
            if _waited(office, slot_of(frequency, local_now))
        ]
    with office.database.sessions.begin() as session:
        record(session, "upkeep", {**report.counts, **report.retries.as_json()}, local_now)
    return report


def _waited(office: Office, slot: str) -> bool:
    with office.database.sessions() as session:
        run = last_of(session, "digest", slot)
        return bool(run and run.waiting)
