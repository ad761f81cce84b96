"""What the pages stand on: settings, database, house, limits, and the postman who sends their letters."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from core.database import Database
from core.settings import Settings
from delivery.sender import Clock
from emails.letters import Notice
from emails.message import House
from mailings.digest_run import Rules
from subscribers import accounts
from subscribers.models import Subscriber
from subscribers.signup_limits import SignUpLimits, Tries, network_of
from subscribers.tokens import LinkError, make_token, read_token


@dataclass(frozen=True)
class Desk:
    """All that a page needs; `nudge` tells the postman that there is mail, `alarm` to tell the operator."""

    settings: Settings
    database: Database
    house: House
    rules: Rules
    limits: SignUpLimits
    logins: Tries
    clock: Clock
    nudge: Callable[[], None]
    alarm: Callable[[Notice], None]

    @property
    def today(self) -> date:
        """The day by which links grow old."""
        return self.clock().date()

    @property
    def host(self) -> str:
        """The host and port that readers know."""
        return urlsplit(self.settings.base_url).netloc

    def token(self, purpose: str, subscriber: Subscriber) -> str:
        """A link's token for a subscriber."""
        return make_token(self.house.key, purpose, subscriber.handle, self.today)

    def reader_of(self, session: Session, purpose: str, token: str) -> Subscriber:
        """Whose link it is.

        Raises:
            LinkError: nobody's.
            ExpiredLinkError: it is too old.
        """

        def about(handle: str) -> str:
            found = accounts.by_handle(session, handle) if purpose == "move" else None
            return found.new_email if found else ""

        handle = read_token(self.house.key, purpose, token, self.today, about)
        subscriber = accounts.by_handle(session, handle)
        if subscriber is None:
            raise LinkError("this link is not valid")
        return subscriber


def desk_of(request: Request) -> Desk:
    """The desk that the app was made with."""
    desk: Desk = request.app.state.desk
    return desk


def origin_of(request: Request) -> str:
    """Where a request comes from, as coarsely as it is kept."""
    return network_of(request.client.host if request.client else "")


AtDesk = Annotated[Desk, Depends(desk_of)]
Origin = Annotated[str, Depends(origin_of)]


def moment_of(desk: Desk) -> datetime:
    """The time on the clock of the time zone."""
    return desk.settings.local(desk.clock())
