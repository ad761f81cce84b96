"""What a server's refusal means for a delivery: later, never, or our own fault. Pure (RFC 3463)."""

import re
from dataclasses import dataclass
from typing import Literal

# `body` lasts until the final dot is out, `ack` from then on.
Phase = Literal["connect", "ehlo", "tls", "login", "mail", "rcpt", "data", "body", "ack"]
BEFORE_MESSAGE = {"connect", "ehlo", "tls", "login"}

NO_SUCH_ADDRESS = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}
# 5.6.7 is about one reader's address, which this server cannot take (RFC 6531): the others get their mail.
OUR_FAULT = re.compile(r"5\.(?:7\.\d+|6\.(?!7$)\d+|3\.4|1\.7|1\.8|5\.\d+)$")


@dataclass(eq=False)
class Refusal(Exception):  # noqa: N818  a server refuses; that is no error of the program
    """A message that was not taken: where it stopped and what was answered (code 0: nothing)."""

    phase: Phase
    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced status code, such as 5.1.1, or nothing."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else ""

    @property
    def unaddressed(self) -> str:
        """The refusal in one line, without the addresses that servers like to repeat: for logs."""
        return re.sub(r"<?[^\s<>:]+@[^\s<>]+>?", "<address>", " ".join(str(self).split()))

    def __str__(self) -> str:
        reply = f"{self.code} {self.text}".strip() if self.code else self.text
        return f"{self.phase}: {reply}"[:500]


@dataclass(frozen=True)
class Verdict:
    """What becomes of the delivery; `stop` ends the run, `suppress` the address."""

    state: Literal["deferred", "failed", "uncertain", "planned"]
    stop: bool = False
    suppress: bool = False


def judge(refusal: Refusal) -> Verdict:
    """The verdict on a refusal, by phase, enhanced status code and code."""
    if refusal.phase in BEFORE_MESSAGE:
        return Verdict("planned", stop=True)
    if refusal.code == 0:
        return Verdict("uncertain" if refusal.phase == "ack" else "deferred")
    if 400 <= refusal.code < 500:
        return Verdict("deferred")
    if refusal.enhanced in NO_SUCH_ADDRESS and refusal.phase in {"rcpt", "ack"}:
        return Verdict("failed", suppress=True)
    if refusal.phase == "mail" or refusal.code in {530, 535} or OUR_FAULT.match(refusal.enhanced):
        return Verdict("planned", stop=True)
    return Verdict("failed")
