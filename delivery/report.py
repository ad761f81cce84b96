"""The accounts of a run that sends: who is accounted for, and by which editions."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from emails.edition import Edition
from emails.rendering.render import Rendered

PLANNED_EARLIER = "planned earlier in this slot"
_FINAL = ("sent", "failed", "skipped")

Account = Counter[tuple[str, str]]  # deliveries by state and, of those skipped, the reason


@dataclass
class DigestReport:
    """The accounts of one run: every candidate is sent, deferred, failed, uncertain, skipped, or
    (when the run stopped, another still sends it, or a fault of ours keeps it) planned. `waiting`: papers had to settle first."""

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
        return balances(self.as_json())

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or nothing."""
        if self.stopped:
            return f"{self.slot} stopped: {self.stopped}; {self.planned} deliveries stay planned"
        if not self.balances:
            return f"{self.slot} does not balance: {self.line()}"
        return ""

    def skip(self, reasons: Counter[str]) -> None:
        """Account for those who get nothing, by the reason."""
        self.reasons = dict(Counter(self.reasons) + reasons)
        self.skipped += reasons.total()

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The accounts in one line."""
        return (
            f"{self.slot}: {self.candidates} candidates, {self.sent} sent, {self.deferred} deferred, "
            f"{self.failed} failed, {self.uncertain} uncertain, {self.skipped} skipped, {self.planned} planned"
        )


def balances(result: Mapping[str, Any]) -> bool:
    """Whether a run's result accounts for every candidate; one that counts none does."""
    ends = ("sent", "deferred", "failed", "uncertain", "skipped", "planned")
    return "candidates" not in result or bool(result["candidates"] == sum(result[end] for end in ends))


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


def account(report: DigestReport, before: Account, after: Account) -> None:
    """Settle the report by the ledger of its slot `before` the run planned and `after` it sent."""
    settled = Counter({key: count for key, count in before.items() if key[0] in _FINAL})
    now = after - settled
    states: Counter[str] = Counter()
    for (state, _), count in now.items():
        states[state] += count
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain = states["uncertain"]
    report.planned = states["planned"] + states["claimed"] + states["sending"]
    report.skip(Counter({reason: count for (state, reason), count in now.items() if state == "skipped"}))
    report.skip(Counter({PLANNED_EARLIER: settled.total()} if settled else {}))
