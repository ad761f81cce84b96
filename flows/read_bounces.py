"""The flow that reads returned mail, every quarter of an hour."""

from datetime import datetime
from typing import Any

from prefect import flow

from bounces import handler
from flows.runtime import moment, open_store, show, tell_of_failure
from mailings.context import clock_from, house_of


@flow(name="bounces", on_failure=[tell_of_failure], on_crashed=[tell_of_failure])
def bounces(now: datetime | None = None) -> dict[str, Any]:
    """Read what came to PAPERBOY_INBOX_URL; without one there is nothing to do."""
    settings, database = open_store()
    if settings.inbox_url is None:
        show("bounces", "PAPERBOY_INBOX_URL is not set: no returned mail is read", {})
        return {}
    done = handler.read_inbox(
        settings.inbox_url.get_secret_value(),
        database.sessions,
        house_of(settings),
        clock_from(now and moment(now)),
    )
    show("bounces", f"{done.total()} mails read", dict(done))
    return dict(done)
