"""Deliveries by what is asked of them, and all that is known of one reader."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from starlette.exceptions import HTTPException

from core.database import reading
from delivery.models import STATES, Delivery
from monitoring import history
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.pages import show
from paperboy.web.deps import AtDesk
from subscribers import accounts
from subscribers.models import Subscriber

router = APIRouter(prefix=HOME, include_in_schema=False)

PAGE = 50  # deliveries
Id = Annotated[int, Path(ge=0, le=2**63 - 1)]


@router.get("/mails")
def show_mails(
    request: Request,
    desk: AtDesk,
    operator: SignedIn,
    state: Annotated[str, Query(max_length=20)] = "",
    slot: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
    reader: Annotated[str, Query(max_length=320, pattern=r"^[^\x00]*$")] = "",
    before: Annotated[int | None, Query(ge=0, le=2**63 - 1)] = None,
) -> Response:
    """Deliveries, the newest first, of a state, a slot or a reader's address; `before` an id."""
    rows = select(Delivery).options(history.WITHOUT_TEXTS, joinedload(Delivery.subscriber))
    if state in STATES:
        rows = rows.where(Delivery.state == state)
    if slot:
        rows = rows.where(Delivery.slot == slot.strip())
    if before is not None:
        rows = rows.where(Delivery.id < before)
    with reading(desk.database) as session:
        if reader:
            rows = rows.where(Delivery.subscriber_id == _id_of(desk, reader))
        found = session.scalars(rows.order_by(Delivery.id.desc()).limit(PAGE + 1)).all()
        return show(
            request,
            "mails.html",
            operator=operator,
            mails=found[:PAGE],
            next=found[PAGE - 1].id if len(found) > PAGE else None,
            chosen={"state": state, "slot": slot, "reader": reader},
            states=STATES,
            local=desk.settings.local,
        )


@router.get("/readers/{reader_id}")
def show_reader(request: Request, reader_id: Id, desk: AtDesk, operator: SignedIn) -> Response:
    """What a reader was sent, what came back and what they changed."""
    with reading(desk.database) as session:
        reader = session.get(Subscriber, reader_id)
        if reader is None or reader.status == "forgotten":
            raise HTTPException(404)
        return show(
            request,
            "reader.html",
            operator=operator,
            reader=reader,
            told=history.of_reader(session, reader),
        )


def _id_of(desk: AtDesk, address: str) -> int:
    """The id of whoever has the address; 0 when nobody does."""
    with reading(desk.database) as session:
        try:
            found = accounts.find(session, address.strip())
        except accounts.AccountError:
            return 0
        return found.id if found else 0
