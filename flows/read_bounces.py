"""The flow that reads bounce mails, every quarter of an hour."""

from datetime import datetime
from typing import Any

from prefect import flow

from bounces.handler import read_inbox
from flows.runtime import alert_on_failure, moment, open_installation, publish_result
from mailings.context import clock_from, identity_from


@flow(name="bounces", on_failure=[alert_on_failure], on_crashed=[alert_on_failure])
def bounces(now: datetime | None = None) -> dict[str, Any]:
    """Read what came to PAPERBOY_INBOX_URL. Without that setting there is nothing to do."""
    settings, database = open_installation()
    if settings.inbox_url is None:
        publish_result("bounces", "PAPERBOY_INBOX_URL is not set: no returned mail is read", {})
        return {}
    counts = read_inbox(
        settings.inbox_url.get_secret_value(),
        database.sessions,
        identity_from(settings),
        clock_from(now and moment(now)),
    )
    publish_result("bounces", f"{counts.total()} mails read", dict(counts))
    return dict(counts)
