"""Everything that is known about one subscriber."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from core.database import read_only
from monitoring.history import history_of_subscriber
from paperboy.admin.auth import HOME, SignedIn
from paperboy.admin.render import render_admin
from paperboy.web.deps import ContextDep
from subscribers.models import Subscriber
from subscribers.status import SubscriberStatus

router = APIRouter(prefix=HOME, include_in_schema=False)

SubscriberId = Annotated[int, Path(ge=0, le=2**63 - 1)]


@router.get("/readers/{subscriber_id}")
def show_subscriber(
    request: Request, subscriber_id: SubscriberId, context: ContextDep, operator: SignedIn
) -> Response:
    """What a subscriber was sent, what bounced and what they changed."""
    with read_only(context.database) as session:
        subscriber = session.get(Subscriber, subscriber_id)
        if subscriber is None or subscriber.status == SubscriberStatus.FORGOTTEN:
            raise HTTPException(404)
        return render_admin(
            request,
            "subscriber.html",
            operator=operator,
            subscriber=subscriber,
            history=history_of_subscriber(session, subscriber),
        )
