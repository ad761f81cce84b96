"""The faults that a mail server can have in each phase of the dialogue, and what must happen to a mail then."""

from dataclasses import dataclass

from delivery.transport.smtp.replies import BEFORE_MESSAGE
from tests.support.servers.smtp import CLOSE_NOTIFY, DROP, HANG, RESET, Reply

HOOKS = {
    "connect": "on_connect",
    "ehlo": "on_ehlo",
    "tls": "on_starttls",
    "login": "on_auth",
    "mail": "on_mail",
    "rcpt": "on_rcpt",
    "data": "on_data",
    "body": "on_text",
    "ack": "on_body",
}
GOOD_CODES = {"connect": "220", "tls": "220", "login": "235", "data": "354"}  # elsewhere 250
FAULTS = (
    "4xx",
    "5xx",
    "421",
    "hang",
    "drop",
    "reset",
    "garbage",
    "garbage, then good",
    "a reply that does not fit",
    "a long line",
    "a line without an end",
    "many lines",
)
MODES = ("step by step", "pipelining", "encrypted")
MESSAGE_PHASES = [phase for phase in HOOKS if phase not in BEFORE_MESSAGE]
CASES = [
    *((phase, "step by step", fault) for phase in ("connect", "ehlo") for fault in FAULTS),
    *((phase, "encrypted", fault) for phase in ("tls", "login") for fault in FAULTS),
    *((phase, mode, fault) for phase in MESSAGE_PHASES for mode in MODES[:2] for fault in FAULTS),
    *((phase, "encrypted", fault) for phase in ("body", "ack") for fault in FAULTS),
    *(("body", mode, "good, but too early") for mode in MODES),
    *((phase, "encrypted", "close_notify") for phase in ("login", "body", "ack")),
    ("tls", "encrypted", "good, then garbage"),
]


def reply_of(phase: str, fault: str) -> Reply:
    """What the server does instead of a good reply."""
    good = GOOD_CODES.get(phase, "250").encode()
    replies: dict[str, Reply] = {
        "4xx": "451 4.3.0 Not now",
        "5xx": "554 5.3.0 Never",
        "421": "421 4.3.2 Shutting down",
        "no such user": "550 5.1.1 No such user",
        "hang": HANG,
        "drop": DROP,
        "reset": RESET,
        "close_notify": CLOSE_NOTIFY,
        "garbage": b"\xff\x00 what is this\r\n",
        "good, then garbage": good + b" Ok\r\nwhat is this\r\n",
        "garbage, then good": b"what is this\r\n" + good + b" Ok\r\n",
        "a reply that does not fit": "251 Hm" if phase == "data" else "354 Hm",
        "a long line": good + b" " + b"x" * 5000 + b"\r\n",
        "a line without an end": good + b" " + b"x" * 20_000,
        "good, but too early": good + b" 2.0.0 Ok\r\n",
        "many lines": (good + b"-and\r\n") * 200 + good + b" Ok\r\n",
    }
    return replies[fault]


@dataclass(frozen=True)
class ExpectedResult:
    """The state of the mail that meets the fault. If the run `stops`, the other mails stay planned."""

    state: str
    stops: bool = False


def expected_result(phase: str, fault: str) -> ExpectedResult:
    """What must happen to the mail that meets the fault."""
    if phase == "ehlo" and fault == "5xx":
        return ExpectedResult("sent")  # the client then tries HELO, for old servers
    if phase in BEFORE_MESSAGE:
        return ExpectedResult("planned", stops=True)
    if fault in {"4xx", "421"}:
        return ExpectedResult("deferred")
    if fault in {"5xx", "no such user"}:
        return ExpectedResult("planned", stops=True) if phase == "mail" else ExpectedResult("failed")
    return ExpectedResult("uncertain" if phase == "ack" else "deferred")
