"""The accounts of a run that sends: who is accounted for, and by which editions."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from emails.edition import Edition
from emails.models import Delivery
from emails.render import Rendered
from emails.sending import Drained


@dataclass
class DigestReport:
    """The accounts of one run: every candidate is sent, deferred, failed, uncertain, skipped, or
    (when the run stopped, or another has taken it up again) still planned. `waiting`: papers had to settle first."""

    slot: str
    candidates: int = 0
    sent: int = 0
    deferred: int = 0
    failed: int = 0
    uncertain: int = 0
    skipped: int = 0
    planned: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    editions: list[dict[str, Any]] = field(default_factory=list)
    waiting: bool = False
    stopped: str = ""

    @property
    def balances(self) -> bool:
        """Whether every candidate is accounted for."""
        settled = self.sent + self.deferred + self.failed + self.uncertain + self.skipped + self.planned
        return self.candidates == settled

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or nothing."""
        if self.stopped:
            return f"{self.slot} stopped: {self.stopped}; {self.planned} deliveries stay planned"
        if not self.balances:
            return f"{self.slot} does not balance: {self.line()}"
        return ""

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The accounts in one line."""
        return (
            f"{self.slot}: {self.candidates} candidates, {self.sent} sent, {self.deferred} deferred, "
            f"{self.failed} failed, {self.uncertain} uncertain, {self.skipped} skipped, {self.planned} planned"
        )


def edition_entry(edition: Edition, rendered: Rendered, readers: int) -> dict[str, Any]:
    """What a report says of one edition; `fill` is the share of the size limit that it takes."""
    return {
        "language": edition.language,
        "subject": rendered.subject,
        "papers": len(edition.papers),
        "remaining": edition.remaining,
        "readers": readers,
        "bytes": len(rendered.html.encode()),
        "fill": round(rendered.fill, 3),
    }


def account(session: Session, report: DigestReport, outcomes: dict[int, str], drained: Drained) -> None:
    """Settle the report from the ledger: a reader's delivery counts if this run planned or tried it."""
    rows = session.execute(
        select(Delivery.id, Delivery.subscriber_id, Delivery.state, Delivery.reply).where(
            Delivery.slot == report.slot
        )
    ).all()
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for id_, subscriber_id, state, reply in rows:
        is_ours = outcomes.get(subscriber_id) == ""
        if not (is_ours or id_ in drained.tried or state == "planned"):
            continue
        outcomes[subscriber_id] = ""
        states[state] += 1
        if state == "skipped":
            reasons[reply] += 1
    for reason in outcomes.values():
        if reason:
            states["skipped"] += 1
            reasons[reason] += 1
    report.candidates = len(outcomes)
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain, report.skipped = states["uncertain"], states["skipped"]
    report.planned = sum(states[state] for state in ("planned", "claimed", "sending"))
    report.reasons, report.stopped = dict(reasons), drained.stopped
