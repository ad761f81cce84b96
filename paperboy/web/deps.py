"""What every page can ask for: the context of the application, and where a request comes from."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Path, Request
from sqlalchemy.orm import Session

from core.database import Database
from core.settings import Settings
from delivery.context import Clock
from emails.identity import MailIdentity
from emails.letters import OperatorNotice
from mailings.context import MailingRules
from subscribers import links
from subscribers.models import Subscriber
from subscribers.signup_limits import AttemptLimit, SignupLimits, network_of
from subscribers.status import SubscriberStatus
from subscribers.tokens import LinkPurpose, TokenError, make_token, read_token


class NobodysLinkError(TokenError):
    """The link was made here, but whoever it belonged to is forgotten, or has ended it."""


@dataclass(frozen=True)
class WebContext:
    """What the pages need. `wake` says that there is something to send, `notify` tells the operator something."""

    settings: Settings
    database: Database
    identity: MailIdentity
    rules: MailingRules
    signup_limits: SignupLimits
    login_limit: AttemptLimit
    clock: Clock
    wake: Callable[[], None]
    notify: Callable[[OperatorNotice], None]

    @property
    def today(self) -> date:
        """The day (UTC) by which links expire."""
        return self.clock().date()

    @property
    def local_now(self) -> datetime:
        """The present time in the time zone of the settings."""
        return self.settings.local(self.clock())

    @property
    def host(self) -> str:
        """The host and port under which readers know the pages."""
        return urlsplit(self.settings.base_url).netloc

    def token(self, purpose: LinkPurpose, subscriber: Subscriber) -> str:
        """A token for a link of a subscriber."""
        return make_token(self.identity.key, purpose, subscriber.handle, self.today)

    def subscriber_of(
        self, session: Session, purpose: LinkPurpose, token: str, *, ends_links: bool = False
    ) -> Subscriber:
        """The subscriber whose link it is. Of two clicks at once on what `ends_links`, only one finds them.

        Raises:
            TokenError: the link is not one of ours.
            NobodysLinkError: it was made here, and belongs to nobody any more.
            ExpiredTokenError: it is too old.
        """

        def about(handle: str) -> str:
            found = links.by_handle(session, handle) if purpose == LinkPurpose.MOVE else None
            return found.new_email if found else ""

        if purpose == LinkPurpose.UNSUBSCRIBE:
            subscriber = links.by_any_handle(session, self._unsubscribe_handle(token))
        else:
            handle = read_token(self.identity.key, purpose, token, self.today, about)
            subscriber = links.by_handle(session, handle, locks=ends_links)
        if subscriber is None or subscriber.status == SubscriberStatus.FORGOTTEN:
            raise NobodysLinkError("this link belongs to nobody")
        return subscriber

    def _unsubscribe_handle(self, token: str) -> str:
        """The handle in a link to unsubscribe, whichever of our keys has signed it."""
        *others, last = self.identity.unsubscribe_keys
        for key in others:
            with suppress(TokenError):
                return read_token(key, LinkPurpose.UNSUBSCRIBE, token, self.today)
        return read_token(last, LinkPurpose.UNSUBSCRIBE, token, self.today)


def web_context(request: Request) -> WebContext:
    """The context that the application was created with."""
    context: WebContext = request.app.state.context
    return context


def origin_of(request: Request) -> str:
    """The network that a request comes from; nothing finer is stored."""
    return network_of(request.client.host if request.client else "")


TopicId = Annotated[int, Path(ge=0, le=2**63 - 1)]  # what the database can look up
ContextDep = Annotated[WebContext, Depends(web_context)]
Origin = Annotated[str, Depends(origin_of)]
