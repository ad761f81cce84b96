"""What an ingest found, as lines and JSON values."""

import logging
from dataclasses import dataclass, field
from typing import Any, assert_never

from issues.models import Issue
from issues.serialize import diff_to_json
from issues.store import ApplyResult, Outcome

logger = logging.getLogger(__name__)


@dataclass
class IngestReport:
    """What an ingest found. Issues are named by topic id and first day of the week."""

    new: list[dict[str, Any]] = field(default_factory=list)
    archived: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    unchanged: list[dict[str, Any]] = field(default_factory=list)
    ignored: list[dict[str, Any]] = field(default_factory=list)
    held: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    not_modified: bool = False

    def line(self) -> str:
        """The report in one line."""
        if self.not_modified:
            return "The feed has not changed since it was last read."
        counts = (
            f"{len(self.new)} new, {len(self.changed)} changed, {len(self.unchanged)} unchanged, "
            f"{len(self.held)} held, {len(self.ignored)} ignored"
        )
        others = {"archived": self.archived, "deleted": self.deleted, "topics not read": self.unread}
        return ", ".join([counts, *(f"{len(found)} {name}" for name, found in others.items() if found)])

    def add(self, applied: ApplyResult) -> None:
        """Report what one post did to the store, also in the log."""
        issue = applied.issue
        logger.info("issue %s", applied.outcome, extra=ids_of(issue))
        entry = entry_of(issue)
        match applied.outcome:
            case Outcome.NEW:
                self.new.append(entry | {"papers": len(issue.papers)})
            case Outcome.ARCHIVED:
                self.archived.append(entry | {"papers": len(issue.papers)})
            case Outcome.HELD:
                reasons = list(applied.problems)
                self.held.append(entry | {"reasons": reasons, "reason": "; ".join(reasons)})
            case Outcome.CHANGED:
                self.changed.append(entry | diff_to_json(applied.changes))
            case Outcome.UNCHANGED:
                self.unchanged.append(entry)
            case _:
                assert_never(applied.outcome)


def ids_of(issue: Issue) -> dict[str, Any]:
    """What identifies an issue in the log."""
    return {"issue": issue.week_start.isoformat(), "topic": issue.topic_id}


def entry_of(issue: Issue) -> dict[str, Any]:
    """An issue as a report names it."""
    return {"issue": issue.week_start.isoformat(), "topic_id": issue.topic_id, "title": issue.title}
