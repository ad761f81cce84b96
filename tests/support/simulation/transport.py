"""The simulated mail server: it keeps what it accepts, and fails, waits or lets the process crash when it is told to."""

import email
import email.policy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from delivery.transport.base import Client
from delivery.transport.smtp.replies import Phase, SmtpError
from emails.message import Message


class CrashError(BaseException):
    """The process crashes here."""


class Trouble(StrEnum):
    """What goes wrong with one mail at the server."""

    LATER = "the server says later"
    TOO_MANY = "the server says too many mails"
    NO_SUCH_ADDRESS = "the server does not know the address"
    REFUSED = "the server refuses the mail"
    LOST_BEFORE = "the connection is lost before the final dot"
    LOST_REPLY = "the connection is lost after the final dot, and the mail has arrived"
    LOST_MAIL = "the connection is lost after the final dot, and the mail has not arrived"
    BAD_LOGIN = "the server refuses the login"
    BAD_SENDER = "the server refuses the sender"


ARRIVES = frozenset({Trouble.LOST_REPLY})

# The phase in which the server fails, the code of its reply (0: none), and the text.
_REPLIES: dict[Trouble, tuple[Phase, int, str]] = {
    Trouble.LATER: ("rcpt", 450, "4.2.1 try later"),
    Trouble.TOO_MANY: ("rcpt", 450, "4.7.1 too many mails"),
    Trouble.NO_SUCH_ADDRESS: ("rcpt", 550, "5.1.1 no such user"),
    Trouble.REFUSED: ("ack", 552, "5.2.2 mailbox full"),
    Trouble.LOST_BEFORE: ("body", 0, "connection lost"),
    Trouble.LOST_REPLY: ("ack", 0, "connection lost"),
    Trouble.LOST_MAIL: ("ack", 0, "connection lost"),
    Trouble.BAD_LOGIN: ("login", 535, "5.7.8 no"),
    Trouble.BAD_SENDER: ("mail", 553, "5.7.1 not your domain"),
}


class SimulatedClient:
    """A client of the simulated mail server."""

    def __init__(self, transport: "SimulatedTransport") -> None:
        self._transport = transport

    async def send(self, message: Message, following: Message | None = None) -> str:  # noqa: ARG002  a protocol
        return self._transport.accept(message)

    async def close(self) -> None:
        return


@dataclass(frozen=True)
class AcceptedMail:
    """A mail that has arrived: to whom, and which papers it brings."""

    to: str
    papers: list[int]


@dataclass
class SimulatedTransport:
    """Stores accepted mails by Message-ID, and counts how often each arrived.

    `moves` leads from each address that somebody has left to their next one. `troubles` await the next mails.
    `interruptions` happen just before the mail with that number is taken.
    `steps_to_crash` counts commits and mails until the process crashes.
    """

    accepted: dict[str, AcceptedMail] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    moves: dict[str, str] = field(default_factory=dict)
    attempts: int = 0  # including those of repeated mails
    troubles: list[Trouble] = field(default_factory=list)
    interruptions: dict[int, Callable[[], None]] = field(default_factory=dict)
    steps_to_crash: int | None = None

    def client(self) -> Client:
        return SimulatedClient(self)

    def calm_down(self) -> None:
        """Nothing goes wrong from now on."""
        self.troubles, self.interruptions, self.steps_to_crash = [], {}, None

    def step(self) -> None:
        """Crash if this is the step at which the process should crash."""
        if self.steps_to_crash is not None:
            self.steps_to_crash -= 1
            if self.steps_to_crash < 0:
                self.steps_to_crash = None
                raise CrashError

    def accept(self, message: Message) -> str:
        self.step()
        self.attempts += 1
        if interruption := self.interruptions.pop(self.attempts, None):
            interruption()
        trouble = self.troubles.pop(0) if self.troubles else None
        if trouble is None or trouble in ARRIVES:
            self._store(message)
        if trouble:
            raise SmtpError(*_REPLIES[trouble])
        self.step()
        return "250 2.0.0 Ok"

    def _store(self, message: Message) -> None:
        mail = email.message_from_bytes(message.data, policy=email.policy.default)
        body = mail.get_body(("plain",))
        assert body is not None, "every mail has a text part"
        papers = list(dict.fromkeys(int(found) for found in re.findall(r"T(\d{4})", body.get_content())))
        arrived = AcceptedMail(message.envelope_to, papers)
        known = self.accepted.setdefault(str(mail["Message-ID"]), arrived)
        assert known.papers == arrived.papers, "a repeated mail is the same mail"
        assert arrived.to in self._addresses_since(known.to), "a repeated mail goes to the same person"
        self.arrivals[str(mail["Message-ID"])] += 1
        assert self.arrivals[str(mail["Message-ID"])] <= 2, "a mail is repeated once"

    def _addresses_since(self, address: str) -> Iterator[str]:
        """An address, and those that its person has moved to since."""
        yield address
        while address in self.moves:
            address = self.moves[address]
            yield address
