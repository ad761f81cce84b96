"""How everything stands: in all, of a reader, of an issue's mails."""

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.run_log import latest
from delivery import queries
from issues import store
from monitoring import attention, history
from paperboy.cli.installation import opened
from paperboy.reports.issues import brief
from paperboy.reports.subscribers import in_brief
from subscribers import accounts
from subscribers.audience import count_by_kind


def status(now: datetime | None) -> dict[str, Any]:
    """What needs attention, and the state of everything in numbers."""
    settings, database = opened()
    moment = now or datetime.now(UTC)
    with database.sessions() as session:
        return {
            "attention": [
                asdict(matter) for matter in attention.matters(session, moment, settings.bounce_alarm)
            ],
            "issues": dict(Counter(brief(issue)["state"] for issue in store.every(session))),
            "subscribers": {" ".join(kind): count for kind, count in count_by_kind(session).items()},
            "deliveries": dict(queries.states(session)),
            "runs": [
                {
                    "finished_at": run.finished_at.isoformat(timespec="seconds"),
                    "kind": run.kind,
                    "slot": run.slot,
                    "line": _brief_result(run.result),
                    "result": run.result,
                }
                for run in latest(session, 3)
            ],
        }


def _brief_result(result: dict[str, Any]) -> str:
    counts = {name: len(value) if isinstance(value, list) else value for name, value in result.items()}
    return ", ".join(f"{value} {name}" for name, value in counts.items() if isinstance(value, int) and value)


def show_reader(email: str) -> dict[str, Any]:
    """One subscriber with all that the ledger tells of them."""
    _, database = opened()
    with database.sessions() as session:
        subscriber = accounts.find(session, email)
        if subscriber is None:
            raise accounts.AccountError(f"{email} is not subscribed")
        return in_brief(subscriber) | history.of_reader(session, subscriber)


def show_mails_of(name: str) -> dict[str, Any]:
    """What became of the mails with an issue's papers."""
    _, database = opened()
    with database.sessions() as session:
        issue = store.find(session, name)
        mails = {"revision": issue.revision, "mails": history.of_issue(session, issue)}
        return brief(issue) | mails | {"held": store.problems_of(issue)}
