"""The list of deliveries, filtered by state, slot or address."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from core.database import read_only
from delivery.models import Delivery
from delivery.states import DeliveryState
from monitoring.history import WITHOUT_TEXTS
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep
from subscribers import accounts
from subscribers.addresses import AccountError

router = APIRouter(prefix=HOME, include_in_schema=False)

DELIVERIES_PER_PAGE = 50


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
    """Deliveries, the newest first, of a state, a slot or an address, with ids below `before`."""
    rows = select(Delivery).options(WITHOUT_TEXTS, joinedload(Delivery.subscriber))
    if state in list(DeliveryState):
        rows = rows.where(Delivery.state == DeliveryState(state))
    if slot:
        rows = rows.where(Delivery.slot == slot.strip())
    if before is not None:
        rows = rows.where(Delivery.id < before)
    with read_only(context.database) as session:
        if subscriber:
            rows = rows.where(Delivery.subscriber_id == _id_of(context, subscriber))
        found = session.scalars(rows.order_by(Delivery.id.desc()).limit(DELIVERIES_PER_PAGE + 1)).all()
        has_more = len(found) > DELIVERIES_PER_PAGE
        return render_admin(
            request,
            "mails.html",
            operator=operator,
            mails=found[:DELIVERIES_PER_PAGE],
            next=found[DELIVERIES_PER_PAGE - 1].id if has_more else None,
            chosen={"state": state, "slot": slot, "reader": subscriber},
            states=list(DeliveryState),
            local=context.settings.local,
        )


def _id_of(context: ContextDep, address: str) -> int:
    """The id of the subscriber with the address, or 0 if there is none."""
    with read_only(context.database) as session:
        try:
            found = accounts.find(session, address.strip())
        except AccountError:
            return 0
        return found.id if found else 0
