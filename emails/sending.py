"""The sending loop: claim, build, send, settle, over one connection; stops for faults of ours."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from core.database import Database, exclusive
from emails import outbox
from emails.message import Content, House, Message, Reader, build, content_of
from emails.models import Delivery
from emails.replies import Refusal, judge
from emails.transport import Transport
from subscribers.accounts import suppress

BATCH = 100
STOP_AFTER = 10  # refusals or lost connections in a row: then the fault is not the readers'

Clock = Callable[[], datetime]
Progress = Callable[[int, int], None]


def ignore_progress(_done: int, _planned: int) -> None:
    """Nobody watches."""


@dataclass
class Drained:
    """What a drain did: the ids of all deliveries it tried, and why it stopped, if it did."""

    tried: set[int] = field(default_factory=set)
    stopped: str = ""


def drain(
    database: Database,
    transport: Transport,
    house: House,
    *,
    slot: str | None,
    repeat_uncertain: bool,
    clock: Clock,
    progress: Progress = ignore_progress,
) -> Drained:
    """Send all deliveries that are due, of one slot or of all; one drain at a time per database."""
    drained = Drained()
    with exclusive(database.engine, "outbox"):
        with database.sessions.begin() as session:
            outbox.recover(session, clock())
            outbox.erase_forgotten(session)
        with database.sessions() as session:
            sender = _Sender(session, transport, house, clock, drained)
            while not drained.stopped:
                batch = outbox.claim(
                    session, slot=slot, now=clock(), repeat_uncertain=repeat_uncertain, limit=BATCH
                )
                session.commit()
                if not batch:
                    break
                sender.send_all(batch)
                progress(len(drained.tried), len(drained.tried) + outbox.count_due(session, slot))
            outbox.put_back(session)
            session.commit()
    return drained


class _Sender:
    """Sends claimed deliveries one after the other; one commit settles one and announces the next."""

    def __init__(
        self, session: Session, transport: Transport, house: House, clock: Clock, drained: Drained
    ) -> None:
        self._session = session
        self._transport = transport
        self._house = house
        self._clock = clock
        self._drained = drained
        self._contents: dict[int, Content] = {}
        self._refused_in_a_row: list[Delivery] = []

    def send_all(self, batch: list[Delivery]) -> None:
        for delivery in batch:
            if self._drained.stopped:
                return
            self._drained.tried.add(delivery.id)
            if message := self._prepared(delivery):
                outbox.mark_sending(delivery)
                self._session.commit()
                self._send(delivery, message)
        self._session.commit()

    def _prepared(self, delivery: Delivery) -> Message | None:
        """The message, unless its reader left since the claim or it cannot be written."""
        self._session.refresh(delivery.subscriber)
        if outbox.skip_if_gone(self._session, delivery, self._clock()):
            return None
        try:
            return self._message(delivery)
        except ValueError as error:
            outbox.settle_unwritable(delivery, str(error), self._clock())
            return None

    def _send(self, delivery: Delivery, message: Message) -> None:
        try:
            reply = self._transport.send(message)
        except Refusal as refusal:
            self._refused(delivery, refusal)
        else:
            self._refused_in_a_row = []
            outbox.settle_sent(delivery, reply, self._clock())

    def _refused(self, delivery: Delivery, refusal: Refusal) -> None:
        verdict = judge(refusal)
        outbox.settle_refused(delivery, refusal, verdict, self._clock())
        if verdict.suppress and self._is_known(delivery):
            suppress(self._session, outbox.recipient(delivery), f"returned: {refusal}", self._clock())
        else:
            self._refused_in_a_row.append(delivery)
        if verdict.stop:
            self._drained.tried.discard(delivery.id)
            self._drained.stopped = (
                f"the mail server refuses to work for us ({_unaddressed(refusal)}): mend that, then run again"
            )
        elif len(self._refused_in_a_row) >= STOP_AFTER:
            outbox.take_back_failed(self._refused_in_a_row)
            self._drained.stopped = (
                f"{STOP_AFTER} mails in a row were refused, the last with: {_unaddressed(refusal)}"
            )
        if self._drained.stopped:
            self._session.commit()

    def _is_known(self, delivery: Delivery) -> bool:
        """Whether the reader has not been forgotten while their mail was on its way."""
        self._session.refresh(delivery.subscriber)
        return delivery.subscriber.status != "forgotten"

    def _message(self, delivery: Delivery) -> Message:
        reader = delivery.subscriber
        content = self._contents.setdefault(delivery.edition_id, content_of(delivery.edition))
        return build(
            content,
            Reader(outbox.recipient(delivery), reader.name, reader.handle, reader.language),
            self._house,
            message_id=delivery.message_id,
            now=self._clock(),
        )


def _unaddressed(refusal: Refusal) -> str:
    """The refusal without the addresses that servers like to repeat: it goes into logs."""
    return re.sub(r"<?[^\s<>:]+@[^\s<>]+>?", "<address>", str(refusal))
