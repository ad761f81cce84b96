"""What runs tell Prefect as events, for automations. No event holds an address.

A server that does not take an event changes nothing for the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from prefect.events import emit_event

from core.database import Database, read_only
from delivery.report import DigestReport
from issues.queries import held_since
from mailings.ingest_report import IngestReport

ISSUE_ARRIVED = "paperboy.issue.arrived"
ISSUE_HELD = "paperboy.issue.held"
DIGEST_SENT = "paperboy.digest.sent"
DIGEST_STOPPED = "paperboy.digest.stopped"
READER_JOINED = "paperboy.reader.joined"

COUNTS = ("candidates", "sent", "deferred", "failed", "uncertain", "skipped", "planned")


@dataclass(frozen=True)
class EventKind:
    """When an event is emitted, what it is about, and what each field of its payload has."""

    when: str
    resource: str
    payload: Mapping[str, str]


_ISSUE = {
    "issue": "the first day of its week",
    "topic_id": "the number of its topic on the forum",
    "title": "the title of its post",
}
_DIGEST = {
    "slot": "such as `weekly:2025-W32`",
    "candidates": "the subscribers who were counted; each is in one of the counts below",
    "sent": "mails that the mail server accepted",
    "deferred": 'mails of which the server said "later"',
    "failed": "mails that were refused for good",
    "uncertain": "mails of which nobody knows whether they arrived",
    "skipped": "subscribers who get nothing",
    "planned": "mails that wait for the next run",
    "line": "the counts in one line",
}
EVENTS = {
    ISSUE_ARRIVED: EventKind(
        "A new issue was stored that goes out with the next digests.",
        "paperboy.issue.TOPIC",
        {**_ISSUE, "papers": "how many papers it has"},
    ),
    ISSUE_HELD: EventKind(
        "A post waits for an operator; once for each text of the post.",
        "paperboy.issue.TOPIC",
        {**_ISSUE, "reasons": "why, as a list", "reason": "why, in one line"},
    ),
    DIGEST_SENT: EventKind("A digest has come to its end.", "paperboy.digest.SLOT", _DIGEST),
    DIGEST_STOPPED: EventKind(
        "A digest has stopped before its end.",
        "paperboy.digest.SLOT",
        {**_DIGEST, "reason": "what stopped it"},
    ),
    READER_JOINED: EventKind(
        "Readers have confirmed.",
        "paperboy.readers",
        {"joined": "how many have confirmed since the last upkeep"},
    ),
}


def tell_of_issues(database: Database, report: IngestReport, now: datetime) -> None:
    """Tell of the issues that an ingest at `now` brought, and of those that it found and that are held."""
    for entry in report.new:
        emit_event(ISSUE_ARRIVED, _issue(entry["topic_id"], entry["issue"]), payload=entry)
    if not report.held:
        return
    with read_only(database) as session:  # what was held before is reported as held again
        new = {issue.topic_id for issue in held_since(session, now - timedelta(microseconds=1))}
    for entry in report.held:
        if entry["topic_id"] in new:
            emit_event(ISSUE_HELD, _issue(entry["topic_id"], entry["issue"]), payload=entry)


def tell_of_digest(report: DigestReport) -> None:
    """Tell that a digest was sent, or that it stopped before its end, with its counts."""
    payload = {name: getattr(report, name) for name in ("slot", *COUNTS)} | {"line": report.line()}
    if report.stopped:
        emit_event(DIGEST_STOPPED, _slot(report.slot), payload=payload | {"reason": report.fault})
    else:
        emit_event(DIGEST_SENT, _slot(report.slot), payload=payload)


def tell_of_readers(joined: int) -> None:
    """Tell how many readers have joined since the last upkeep, if there are any."""
    if joined:
        resource = {"prefect.resource.id": "paperboy.readers", "prefect.resource.name": "readers"}
        emit_event(READER_JOINED, resource, payload={"joined": joined})


def _issue(topic_id: int, first_day: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"paperboy.issue.{topic_id}",
        "prefect.resource.name": f"issue of {first_day}",
    }


def _slot(slot: str) -> dict[str, str]:
    return {"prefect.resource.id": f"paperboy.digest.{slot}", "prefect.resource.name": slot.replace(":", " ")}
