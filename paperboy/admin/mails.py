"""The list of deliveries: what servers did not accept first, grouped by their words, then every mail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from core.database import read_only
from delivery.queries import refusals_of_slot
from delivery.states import DeliveryState
from monitoring.history import newest_mails
from monitoring.overview import read_overview
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep
from subscribers import accounts
from subscribers.addresses import AccountError

router = APIRouter(prefix=HOME, include_in_schema=False)

DELIVERIES_PER_PAGE = 50
MAX_GROUPS = 20


@router.get("/mails")
def show_mails(
    request: Request,
    context: ContextDep,
    operator: SignedIn,
    state: Annotated[str, Query(max_length=20)] = "",
    slot: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
    subscriber: Annotated[str, Query(alias="reader", max_length=320, pattern=r"^[^\x00]*$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Deliveries, the newest first, of a state, a slot or an address, with ids below `before`.

    What servers did not accept comes before the list, grouped: of the slot, or of the last digests.
    """
    with read_only(context.database) as session:
        found = newest_mails(
            session,
            DELIVERIES_PER_PAGE + 1,
            state=DeliveryState(state) if state in list(DeliveryState) else None,
            slot=slot.strip(),
            subscriber_id=_id_of(session, subscriber) if subscriber else None,
            before=before,
        )
        is_first_page = before is None and not subscriber
        groups = _groups(session, slot.strip(), context.local_now) if is_first_page else []
        return render_admin(
            request,
            "mails.html",
            operator=operator,
            mails=found[:DELIVERIES_PER_PAGE],
            groups=groups,
            next=found[DELIVERIES_PER_PAGE - 1].id if len(found) > DELIVERIES_PER_PAGE else None,
            chosen={"state": state, "slot": slot, "reader": subscriber},
            states=list(DeliveryState),
        )


@dataclass(frozen=True)
class RefusalGroup:
    """Deliveries of a slot in one state of which servers said the same."""

    slot: str
    state: str
    words: str
    count: int


def _groups(session: Session, slot: str, local_now: datetime) -> list[RefusalGroup]:
    """What servers did not accept in a slot, or in the last digests: the largest groups first."""
    slots = [slot] if slot else [each.slot for each in read_overview(session, local_now).slots]
    groups = [
        RefusalGroup(each, state, words, count)
        for each in slots
        for (state, words), count in refusals_of_slot(session, each).items()
    ]
    return sorted(groups, key=lambda group: (group.state != DeliveryState.FAILED, -group.count))[:MAX_GROUPS]


def _id_of(session: Session, address: str) -> int:
    """The id of the subscriber with the address, or 0 if there is none."""
    try:
        found = accounts.find(session, address.strip())
    except AccountError:
        return 0
    return found.id if found else 0
