"""The commands that open a message: MAIL, RCPT and DATA, with the extensions that the server supports. Pure."""

from collections.abc import Mapping, Sequence

from delivery.transport.smtp.protocol import MAX_COMMANDS_AHEAD_BYTES
from delivery.transport.smtp.replies import Phase, SmtpError
from emails.message import Message

# The phase of each command, and the first digit of the reply after which the message can go on.
OPENING_STEPS: tuple[tuple[Phase, int], ...] = (("mail", 2), ("rcpt", 2), ("data", 3))
RESET_STEP: tuple[Phase, int] = ("mail", 2)


def opening_commands(message: Message, extensions: Mapping[str, str]) -> list[str]:
    """MAIL, RCPT and DATA for a message.

    Raises:
        SmtpError: this server cannot take the message.
    """
    mail, rcpt = f"MAIL FROM:<{message.envelope_from}>", f"RCPT TO:<{message.envelope_to}>"
    if "SIZE" in extensions:
        size = message.size
        _check_size(size, extensions["SIZE"].strip())
        mail += f" SIZE={size}"
    if not message.envelope_to.isascii():
        if "SMTPUTF8" not in extensions:
            raise SmtpError("rcpt", 553, "5.6.7 the server takes only addresses in ASCII")
        mail += " BODY=8BITMIME SMTPUTF8"
    if "DSN" in extensions:
        mail += " RET=HDRS"
        rcpt += " NOTIFY=FAILURE"
    return [mail, rcpt, "DATA"]


def commands_ahead(following: Message | None, extensions: Mapping[str, str]) -> bytes:
    """The opening commands of the following message, if they can be sent together with a text."""
    if following is None or "PIPELINING" not in extensions:
        return b""
    try:
        commands = join_lines(opening_commands(following, extensions))
    except SmtpError:  # it is raised again when that message is sent
        return b""
    return commands if len(commands) < MAX_COMMANDS_AHEAD_BYTES else b""


def join_lines(lines: Sequence[str]) -> bytes:
    """The lines as they are sent."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def _check_size(size: int, limit: str) -> None:
    if limit.isdecimal() and 0 < int(limit) < size:
        raise SmtpError("mail", 552, f"5.3.4 the server takes {limit} bytes at most, the mail has {size}")
