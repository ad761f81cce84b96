"""What a mail server's refusal means for a delivery. Pure (RFC 3463)."""

import re
from typing import Literal

from delivery.status_codes import OUR_FAULT, FailureKind, failure_kind, status_from_text
from delivery.transport.base import FaultCategory, SendError

# `body` lasts until the final dot has been sent, `ack` begins then.
Phase = Literal["connect", "ehlo", "tls", "login", "mail", "rcpt", "data", "body", "ack"]
BEFORE_MESSAGE = {"connect", "ehlo", "tls", "login"}


class SmtpError(SendError):
    """A message that a server did not accept: the phase in which it failed, the reply's code (0: none) and text."""

    def __init__(self, phase: Phase, code: int, text: str) -> None:
        self.phase, self.code, self.text = phase, code, text
        is_about_recipient = phase in {"rcpt", "ack"}
        reply = f"{code} {text}".strip() if code else text
        super().__init__(
            f"{phase}: {reply}",
            _category(phase, code, self.enhanced_code),
            is_before_message=phase in BEFORE_MESSAGE,
            failure=_failure_of(code, reply) if code and is_about_recipient else FailureKind.UNCLEAR,
            is_busy=400 <= code < 500 and is_about_recipient,
        )

    @property
    def enhanced_code(self) -> str:
        """The enhanced status code, such as 5.1.1, or empty if there is none."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else ""


def _failure_of(code: int, reply: str) -> FailureKind:
    """What a reply says about the recipient. If its two codes are of different classes, the first one counts."""
    return failure_kind(f"{code // 100}{status_from_text(reply)[1:]}")


def _category(phase: Phase, code: int, enhanced_code: str) -> FaultCategory:
    if phase in BEFORE_MESSAGE:
        return FaultCategory.OURS
    if code == 0:
        return FaultCategory.UNKNOWN if phase == "ack" else FaultCategory.LATER
    if 400 <= code < 500:
        return FaultCategory.LATER
    if phase == "mail" or code in {530, 535}:
        return FaultCategory.OURS
    # A server can have a rule for one recipient. The circuit breaker notices if it refuses all of them.
    is_about_us = phase != "rcpt" and OUR_FAULT.match(enhanced_code)
    return FaultCategory.OURS if is_about_us else FaultCategory.RECIPIENT
