"""The protocol of a transport: a client sends a message and returns the reply, or raises a categorised error.

The sender knows nothing else about how messages leave. An HTTP API would be another implementation.
"""

import asyncio
import re
from enum import StrEnum
from typing import Protocol

from core.errors import PaperboyError
from delivery.status_codes import FailureKind
from emails.message import Message

MAX_ERROR_CHARACTERS = 500


class FaultCategory(StrEnum):
    """Whose fault it is that a message was not accepted, which decides what happens to its delivery."""

    RECIPIENT = "recipient"  # this delivery fails
    LATER = "later"  # this delivery is tried again, after a back-off
    OURS = "ours"  # the run stops, and every delivery stays planned
    UNKNOWN = "unknown"  # nobody knows whether the message was accepted


class SendError(PaperboyError):
    """A message was not accepted, or nobody knows whether it was. `str()` is what the server said."""

    def __init__(
        self,
        text: str,
        category: FaultCategory,
        *,
        is_before_message: bool = False,
        failure: FailureKind = FailureKind.UNCLEAR,
        is_busy: bool = False,
    ) -> None:
        """Create an error.

        Args:
            text: what the server said, or what went wrong.
            category: whose fault it is.
            is_before_message: the connection failed before this message was attempted.
            failure: what the server said about the recipient, if anything.
            is_busy: the recipient's server asked to slow down.
        """
        super().__init__(text[:MAX_ERROR_CHARACTERS])
        self.category = category
        self.is_before_message = is_before_message
        self.failure = failure
        self.is_busy = is_busy

    @property
    def is_dead_address(self) -> bool:
        """Whether the recipient's address does not exist, so that it must not be mailed again."""
        return self.failure == FailureKind.NO_SUCH_ADDRESS

    @property
    def anonymous(self) -> str:
        """The error in one line for logs, without the addresses that servers like to repeat."""
        return without_addresses(str(self))


def without_addresses(text: str) -> str:
    """A text of a server in one line, without addresses."""
    return re.sub(r"<?[^\s<>:]+@[^\s<>]+>?", "<address>", " ".join(text.split()))


class Client(Protocol):
    """One connection of a run. It opens with the first message, and opens again whenever that is necessary."""

    async def send(self, message: Message, following: Message | None = None) -> str:
        """Send a message and return the server's reply.

        `following` is the message that will most likely be sent next. A client may prepare it.

        Raises:
            SendError: the message was not accepted, or nobody knows whether it was.
        """

    async def close(self) -> None:
        """Close the connection, if it is open."""


class Transport(Protocol):
    """Where the messages of a run go."""

    def client(self) -> Client:
        """A new client, which is not connected yet."""


def send_one(transport: Transport, message: Message) -> str:
    """Send a single message and return the server's reply.

    Raises:
        SendError: the message was not accepted, or nobody knows whether it was.
    """

    async def send() -> str:
        client = transport.client()
        try:
            return await client.send(message)
        finally:
            await client.close()

    return asyncio.run(send())
