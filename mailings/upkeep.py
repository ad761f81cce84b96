"""Upkeep between digests: retries, issues that came late, sign-ups to answer or drop, pauses that end, retention."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from core.database import retry_while_away, transact
from core.frequencies import Frequency
from core.rate_storage import DatabaseStorage
from core.run_log import RunKind, last_run, record_run
from core.steps import Step, plain_step
from delivery.context import SendingContext
from delivery.report import DigestReport
from mailings.account_mails import answer_signup_requests, expire_sign_ups
from mailings.context import MailingRules
from mailings.digest_run import run_digest, send_retries
from mailings.late_issues import late_slots
from mailings.retention import RetentionReport, run_retention
from subscribers.accounts import count_joined, resume_due


@dataclass
class UpkeepReport:
    """What one upkeep did. `late` are the digests of issues that came after the digest of their slot.

    `joined` counts those who have confirmed their subscription since the last upkeep.
    """

    expired: int
    resumed: int
    answered: int
    joined: int
    retries: DigestReport
    late: list[DigestReport] = field(default_factory=list)
    retention: RetentionReport = field(default_factory=RetentionReport)

    @property
    def counts(self) -> dict[str, int]:
        """What was done for accounts."""
        return {
            "expired": self.expired,
            "resumed": self.resumed,
            "answered": self.answered,
            "joined": self.joined,
        }

    def line(self) -> str:
        """The report in one line."""
        counts = [f"{count} {what}" for what, count in self.counts.items() if count]
        late = [report.line() for report in self.late]
        return "; ".join([self.retries.line(), *late, *counts])

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or empty if it need not."""
        return "; ".join(report.fault for report in (self.retries, *self.late) if report.fault)


def run_upkeep(
    context: SendingContext, *, local_now: datetime, rules: MailingRules, step: Step = plain_step
) -> UpkeepReport:
    """See to accounts, send what is due again and issues that came late, and prune what is older than retention."""
    accounts = step("accounts", lambda: _see_to_accounts(context, local_now))
    report = UpkeepReport(*accounts, step("send", lambda: send_retries(context, rules=rules)))
    if not report.retries.stopped:
        report.late = step("late issues", lambda: list(_send_late_issues(context, local_now, rules)))
    report.retention = step("retention", lambda: run_retention(context.database, local_now, rules))
    result = {**report.counts, **report.retries.as_json(), "retention": report.retention.as_json()}
    transact(
        context.database.sessions,
        lambda session: record_run(session, RunKind.UPKEEP, result, local_now),
    )
    return report


def _see_to_accounts(context: SendingContext, now: datetime) -> tuple[int, int, int, int]:
    """How many sign-ups expired, pauses ended and sign-up requests were answered, and how many have joined."""

    def see_to(session: Session) -> tuple[int, int, int, int]:
        expired = expire_sign_ups(session, now)
        resumed = resume_due(session, now, now.date())
        answered = len(answer_signup_requests(session, context.identity, now))
        last = last_run(session, RunKind.UPKEEP)
        return expired, resumed, answered, count_joined(session, last.finished_at, now) if last else 0

    counts = transact(context.database.sessions, see_to)
    retry_while_away(DatabaseStorage(context.database).delete_expired)
    return counts


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
