"""What a mail server's refusal means for a delivery. Pure (RFC 3463)."""

import re
from typing import Literal

from delivery.transport.base import MAX_ERROR_CHARACTERS, FaultCategory, SendError

# `body` lasts until the final dot has been sent, `ack` begins then.
Phase = Literal["connect", "ehlo", "tls", "login", "mail", "rcpt", "data", "body", "ack"]
BEFORE_MESSAGE = {"connect", "ehlo", "tls", "login"}

NO_SUCH_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# 5.6.7 is not our fault: this server cannot take one recipient's address (RFC 6531), but it takes the others'.
OUR_FAULT = re.compile(r"5\.(?:7\.\d+|6\.(?!7$)\d+|3\.4|1\.7|1\.8|5\.\d+)$")


class SmtpError(SendError):
    """A message that a server did not accept: the phase in which it failed, the reply's code (0: none) and text."""

    def __init__(self, phase: Phase, code: int, text: str) -> None:
        super().__init__(phase, code, text)
        self.phase, self.code, self.text = phase, code, text

    def __str__(self) -> str:
        reply = f"{self.code} {self.text}".strip() if self.code else self.text
        return f"{self.phase}: {reply}"[:MAX_ERROR_CHARACTERS]

    @property
    def enhanced_code(self) -> str:
        """The enhanced status code, such as 5.1.1; empty if there is none."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else ""

    @property
    def category(self) -> FaultCategory:
        """The category by phase, enhanced status code and reply code."""
        if self.is_before_message:
            return FaultCategory.OURS
        if self.code == 0:
            return FaultCategory.UNKNOWN if self.phase == "ack" else FaultCategory.LATER
        if 400 <= self.code < 500:
            return FaultCategory.LATER
        if self.is_dead_address:
            return FaultCategory.RECIPIENT
        is_about_us = self.phase == "mail" or self.code in {530, 535} or OUR_FAULT.match(self.enhanced_code)
        return FaultCategory.OURS if is_about_us else FaultCategory.RECIPIENT

    @property
    def anonymous(self) -> str:
        """The error in one line, without the addresses that servers like to repeat."""
        return re.sub(r"<?[^\s<>:]+@[^\s<>]+>?", "<address>", " ".join(str(self).split()))

    @property
    def is_before_message(self) -> bool:
        """Whether the connection failed before this message was attempted."""
        return self.phase in BEFORE_MESSAGE

    @property
    def is_dead_address(self) -> bool:
        """Whether the server says that the address does not exist."""
        return self.enhanced_code in NO_SUCH_ADDRESS and self.phase in {"rcpt", "ack"} and self.code >= 500

    @property
    def is_busy(self) -> bool:
        """Whether the server asked to slow down: a 4xx reply to the recipient or to the text."""
        return 400 <= self.code < 500 and self.phase in {"rcpt", "ack"}
