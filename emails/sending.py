"""The sending loop: claim, build, send, settle, over one connection; stops for faults of ours."""

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
        self._refused_in_a_row = 0

    def send_all(self, batch: list[Delivery]) -> None:
        for delivery in batch:
            if self._drained.stopped:
                return
            outbox.mark_sending(delivery)
            message = self._message(delivery)
            self._session.commit()
            self._drained.tried.add(delivery.id)
            self._send(delivery, message)
        self._session.commit()

    def _send(self, delivery: Delivery, message: Message) -> None:
        try:
            reply = self._transport.send(message)
        except Refusal as refusal:
            self._refused(delivery, refusal)
        else:
            self._refused_in_a_row = 0
            outbox.settle_sent(delivery, reply, self._clock())

    def _refused(self, delivery: Delivery, refusal: Refusal) -> None:
        verdict = judge(refusal)
        outbox.settle_refused(delivery, refusal, verdict, self._clock())
        if verdict.suppress:
            suppress(self._session, delivery.subscriber.email, f"returned: {refusal}", self._clock())
        else:
            self._refused_in_a_row += 1
        if verdict.stop:
            self._drained.tried.discard(delivery.id)
            self._drained.stopped = (
                f"the mail server refuses to work for us ({refusal}): mend that, then run again"
            )
        elif self._refused_in_a_row >= STOP_AFTER:
            self._drained.stopped = f"{STOP_AFTER} mails in a row were refused, the last with: {refusal}"
        if self._drained.stopped:
            self._session.commit()

    def _message(self, delivery: Delivery) -> Message:
        reader = delivery.subscriber
        content = self._contents.setdefault(delivery.edition_id, content_of(delivery.edition))
        return build(
            content,
            Reader(reader.email, reader.name, reader.handle, reader.language),
            self._house,
            message_id=delivery.message_id,
            now=self._clock(),
        )
