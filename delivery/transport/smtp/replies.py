"""What a mail server's refusal means for a delivery. Pure (RFC 3463)."""

import re
from typing import Literal

from delivery.transport.base import FaultCategory, SendError

# `body` lasts until the final dot has been sent, `ack` begins then.
Phase = Literal["connect", "ehlo", "tls", "login", "mail", "rcpt", "data", "body", "ack"]
BEFORE_MESSAGE = {"connect", "ehlo", "tls", "login"}

NO_SUCH_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# 5.6.7 is not our fault: this server cannot take one recipient's address (RFC 6531), but it takes the others'.
OUR_FAULT = re.compile(r"5\.(?:7\.\d+|6\.(?!7$)\d+|3\.4|1\.7|1\.8|5\.\d+)$")


class SmtpError(SendError):
    """A message that a server did not accept: the phase in which it failed, the reply's code (0: none) and text."""

    def __init__(self, phase: Phase, code: int, text: str) -> None:
        self.phase, self.code, self.text = phase, code, text
        is_about_recipient = phase in {"rcpt", "ack"}
        is_dead_address = code >= 500 and is_about_recipient and self.enhanced_code in NO_SUCH_ADDRESS
        reply = f"{code} {text}".strip() if code else text
        super().__init__(
            f"{phase}: {reply}",
            _category(phase, code, self.enhanced_code, is_dead_address),
            is_before_message=phase in BEFORE_MESSAGE,
            is_dead_address=is_dead_address,
            is_busy=400 <= code < 500 and is_about_recipient,
        )

    @property
    def enhanced_code(self) -> str:
        """The enhanced status code, such as 5.1.1, or empty if there is none."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else ""


def _category(phase: Phase, code: int, enhanced_code: str, is_dead_address: bool) -> FaultCategory:
    if phase in BEFORE_MESSAGE:
        return FaultCategory.OURS
    if code == 0:
        return FaultCategory.UNKNOWN if phase == "ack" else FaultCategory.LATER
    if 400 <= code < 500:
        return FaultCategory.LATER
    if is_dead_address:
        return FaultCategory.RECIPIENT
    is_about_us = phase == "mail" or code in {530, 535} or OUR_FAULT.match(enhanced_code)
    return FaultCategory.OURS if is_about_us else FaultCategory.RECIPIENT
