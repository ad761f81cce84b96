"""What came back: bounce mails and complaints of the last weeks, grouped by reason, and the newest of them."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import select

from core.database import read_only
from delivery.bounce_log import bounce_groups
from delivery.models import BounceMail, Delivery
from monitoring.attention import attention_items
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep
from subscribers.models import Subscriber

router = APIRouter(prefix=HOME, include_in_schema=False)

WINDOW = timedelta(days=28)
NEWEST_BOUNCES = 50
MAX_GROUPS = 30


@router.get("/bounces")
def show_bounces(
    request: Request,
    context: ContextDep,
    operator: SignedIn,
    slot: Annotated[str, Query(max_length=100, pattern=r"^[^\x00]*$")] = "",
) -> Response:
    """The bounces of the last four weeks, perhaps only those of a slot."""
    since = context.clock() - WINDOW
    rows = (
        select(BounceMail, Subscriber.email)
        .outerjoin(Subscriber, Subscriber.id == BounceMail.subscriber_id)
        .where(BounceMail.received_at > since)
        .order_by(BounceMail.id.desc())
        .limit(NEWEST_BOUNCES)
    )
    if slot:
        rows = rows.join(Delivery, BounceMail.delivery_id == Delivery.id).where(Delivery.slot == slot)
    with read_only(context.database) as session:
        items = attention_items(session, context.clock(), context.settings.bounce_alarm)
        return render_admin(
            request,
            "bounces.html",
            operator=operator,
            slot=slot,
            groups=bounce_groups(session, since, slot)[:MAX_GROUPS],
            bounces=session.execute(rows).all(),
            resends=[button for item in items for button in item.buttons if button.fields],
        )
