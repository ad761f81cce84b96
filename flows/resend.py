"""The flow that sends one reader a copy of an issue, started by an operator."""

from datetime import datetime
from typing import Any

from prefect import flow

from emails import copies
from emails.office import open_office, rules_of
from flows.doors import end, moment, open_store, show, tell_of_failure
from issues import store


@flow(name="resend", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def resend(issue: str, to: str, dry_run: bool = False, now: datetime | None = None) -> dict[str, Any]:
    """Send the active subscriber `to` the whole issue, named by its first day or topic id."""
    settings, database = open_store()
    with open_office(settings, database, now and moment(now)) as office:
        with database.sessions() as session:
            found = store.find(session, issue)
            papers = store.whole_issue(found)
        report = copies.resend(
            office, found, papers, to, now=moment(now), rules=rules_of(settings), dry_run=dry_run
        )
    show("resend", report.line(), report.as_json())
    end(report.fault)
    return report.as_json()
