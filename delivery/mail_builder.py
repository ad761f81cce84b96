"""Builds the messages of a run from its claims, with a cache of encoded editions."""

from typing import NamedTuple

from delivery import retry
from delivery.claim_buffer import ClaimBuffer
from delivery.context import SendingContext
from delivery.daily_caps import DailyCaps
from delivery.editions import content_of, spec_of
from delivery.group_commit import GroupCommit
from delivery.models import EditionRow
from delivery.rate_limit import DomainThrottle
from delivery.retry import Claim, Outcome
from emails.message import Message, MessageTemplate

MAX_CACHED_TEMPLATES = 32  # each takes a few hundred kilobytes of memory


class Mail(NamedTuple):
    """A claimed delivery with its message."""

    claim: Claim
    message: Message


class MailBuilder:
    """Takes claims from the buffer of a run and builds their messages."""

    def __init__(
        self,
        context: SendingContext,
        commits: GroupCommit,
        claims: ClaimBuffer,
        throttle: DomainThrottle,
        caps: DailyCaps | None,
    ) -> None:
        self._context, self._commits, self._claims = context, commits, claims
        self._throttle, self._caps = throttle, caps
        self._templates: dict[int, MessageTemplate] = {}

    async def available(self, outcomes: list[Outcome]) -> Mail | None:
        """The next mail, if there is one without waiting. Claims that cannot be sent now become outcomes."""
        while claim := self._claims.pop():
            if self.is_postponed(claim, outcomes):
                continue
            now = self._context.clock()
            if self._caps and (due_at := await self._caps.wait_until(claim, now)):
                outcomes.append(retry.postponed(claim, due_at))
                continue
            template = self._templates.get(claim.edition_id) or await self._load_template(claim.edition_id)
            try:
                message = template.build(
                    claim.recipient, message_id=claim.message_id, in_reply_to=claim.in_reply_to, now=now
                )
            except ValueError as error:
                outcomes.append(retry.unbuildable(claim, str(error), now))
                if self._caps:
                    self._caps.settle(claim.id, is_attempted=False)
            else:
                return Mail(claim, message)
        return None

    def is_postponed(self, claim: Claim, outcomes: list[Outcome]) -> bool:
        """Whether the mail has to wait because its domain is throttled. The outcome is added then."""
        next_allowed = self._throttle.next_allowed(claim.recipient.email, self._context.clock())
        if next_allowed:
            outcomes.append(retry.postponed(claim, next_allowed))
        return next_allowed is not None

    async def _load_template(self, edition_id: int) -> MessageTemplate:
        row = await self._commits.transact(
            lambda session, _lease, _now: session.get_one(EditionRow, edition_id)
        )
        if len(self._templates) >= MAX_CACHED_TEMPLATES:
            self._templates.pop(next(iter(self._templates)))
        template = MessageTemplate(spec_of(row), content_of(row), self._context.identity)
        self._templates[edition_id] = template
        return template
