"""The report of a run that sends: every candidate is counted in exactly one place."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from delivery.queries import StateCounts
from delivery.states import FINAL, DeliveryState

if TYPE_CHECKING:  # a process that only sends does not load what renders
    from emails.edition import Edition
    from emails.rendering.render import Rendered

PLANNED_EARLIER = "planned earlier in this slot"


@dataclass
class DigestReport:
    """The counts of one run. Every candidate is sent, deferred, failed, uncertain, skipped or planned.

    - `planned` counts those that are left when the run stopped, that another sender still has, or that a fault of ours
      keeps.
    - `waiting` says that some papers were not quiet yet.
    - `ready_until` says how far papers were ready, in their order of arrival.
    - `warm_up` says how many of the planned mails wait for the warm-up of each provider. In a run of retries, these are
      mails of all slots.
    - `unrendered` has a line for each mail that could not be rendered.
    - `feed` says why the feed could not be read before.
    """

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
    ready_until: int = 0
    warm_up: list[str] = field(default_factory=list)
    unrendered: list[str] = field(default_factory=list)
    feed: str = ""
    stopped: str = ""

    @property
    def balances(self) -> bool:
        """Whether every candidate is counted once."""
        return balances(self.as_json())

    @property
    def fault(self) -> str:
        """Why the run must count as failed, or empty if it need not."""
        if self.stopped:
            return f"{self.slot} stopped: {self.stopped}; {self.planned} deliveries stay planned"
        if not self.balances:
            return f"{self.slot} does not balance: {self.line()}"
        return "; ".join(self.unrendered)

    def skip(self, reasons: Counter[str]) -> None:
        """Count candidates who get nothing, by their reason."""
        self.reasons = dict(Counter(self.reasons) + reasons)
        self.skipped += reasons.total()

    def as_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """The counts in one line, and what waits for a warm-up."""
        counts = (
            f"{self.slot}: {self.candidates} candidates, {self.sent} sent, {self.deferred} deferred, "
            f"{self.failed} failed, {self.uncertain} uncertain, {self.skipped} skipped, {self.planned} planned"
        )
        return "; ".join([counts, *self.warm_up])


def balances(result: Mapping[str, Any]) -> bool:
    """Whether a run's result counts every candidate once. A result without candidates balances."""
    ends = ("sent", "deferred", "failed", "uncertain", "skipped", "planned")
    return "candidates" not in result or bool(result["candidates"] == sum(result[end] for end in ends))


def edition_entry(edition: "Edition", rendered: "Rendered", recipients: int) -> dict[str, Any]:
    """What a report says about one edition. `fill` is the share of the size limit that it takes."""
    return {
        "language": edition.spec.language,
        "detail": edition.spec.detail,
        "subject": rendered.content.subject,
        "papers": len(edition.papers),
        "remaining": edition.remaining,
        "readers": recipients,
        "bytes": len(rendered.content.html.encode()),
        "fill": round(rendered.fill, 3),
    }


def settled(counts: StateCounts) -> StateCounts:
    """The counts of deliveries that are settled."""
    return StateCounts({key: count for key, count in counts.items() if key[0] in FINAL})


def count_missing(before: StateCounts, after: StateCounts) -> int:
    """How many of the deliveries counted `before` are not there `after`."""
    return (before - after).total()


def count_results(report: DigestReport, before: StateCounts, after: StateCounts) -> None:
    """Fill in the report from the counts of its slot `before` the run planned and `after` it sent."""
    settled_before = settled(before)
    now = after - settled_before
    states: Counter[str] = Counter()
    for (state, _), count in now.items():
        states[state] += count
    report.sent, report.deferred, report.failed = states["sent"], states["deferred"], states["failed"]
    report.uncertain = states["uncertain"]
    report.planned = states["planned"] + states["claimed"] + states["sending"]
    report.skip(
        Counter({reason: count for (state, reason), count in now.items() if state == DeliveryState.SKIPPED})
    )
    report.skip(Counter({PLANNED_EARLIER: settled_before.total()} if settled_before else {}))
