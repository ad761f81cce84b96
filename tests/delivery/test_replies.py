"""The category of every error of a mail server."""

import pytest

from delivery.transport.base import FaultCategory
from delivery.transport.smtp.replies import Phase, SmtpError

LATER = (FaultCategory.LATER, False)
RECIPIENT = (FaultCategory.RECIPIENT, False)
DEAD_ADDRESS = (FaultCategory.RECIPIENT, True)
OURS = (FaultCategory.OURS, False)
UNKNOWN = (FaultCategory.UNKNOWN, False)


@pytest.mark.parametrize(
    ("phase", "code", "text", "expected"),
    [
        # 421 and 4xx: later, whatever the text says
        ("mail", 421, "4.7.0 Try again later", LATER),
        ("rcpt", 451, "4.7.1 Greylisted", LATER),
        ("rcpt", 452, "4.2.2 Mailbox full", LATER),
        ("rcpt", 450, "5.1.1 A code that contradicts itself", LATER),
        ("data", 451, "4.3.0 No space", LATER),
        ("ack", 451, "no enhanced code", LATER),
        # a connection lost before the final dot: later; after it: unknown
        ("mail", 0, "Connection unexpectedly closed", LATER),
        ("rcpt", 0, "timed out", LATER),
        ("data", 0, "timed out", LATER),
        ("ack", 0, "timed out", UNKNOWN),
        # no such address
        *(
            (phase, 550, f"{code} No such user", DEAD_ADDRESS)
            for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
            for phase in ("rcpt", "ack")
        ),
        ("rcpt", 550, "No such user here", DEAD_ADDRESS),
        # what the server says of the sender, a rate or a later time counts more than its code
        ("rcpt", 550, "5.1.1 <a@b.example> - 192.0.2.1 has sent to too many recipients this hour", RECIPIENT),
        ("rcpt", 550, "5.1.1 Mailbox unavailable, try again later", RECIPIENT),
        ("rcpt", 550, "5.1.1 Your IP 192.0.2.1 is blocked", RECIPIENT),
        ("rcpt", 550, "5.1.1 Mailbox over quota", RECIPIENT),
        # a rule for one recipient
        ("rcpt", 550, "5.7.1 Access denied", RECIPIENT),
        ("rcpt", 550, "5.7.26 Unauthenticated mail is prohibited", RECIPIENT),
        # this recipient's mailbox, which is not known to be dead
        ("rcpt", 552, "5.2.2 Mailbox full", RECIPIENT),
        ("rcpt", 550, "5.2.1 Mailbox disabled", RECIPIENT),
        ("rcpt", 550, "5.1.11 Not in the table", RECIPIENT),
        ("rcpt", 550, "5.4.1 Recipient address rejected: Access denied", RECIPIENT),
        ("rcpt", 553, "5.6.7 Not an address in ASCII", RECIPIENT),
        # our fault
        ("ack", 550, "5.7.26 Unauthenticated mail is prohibited", OURS),
        ("ack", 550, "5.6.0 Not RFC 5322 compliant", OURS),
        ("ack", 552, "5.3.4 Message too big", OURS),
        ("mail", 530, "5.7.0 Must issue STARTTLS first", OURS),
        ("mail", 535, "Authentication needed", OURS),
        ("mail", 550, "5.1.1 Sender unknown", OURS),
        ("mail", 553, "Sender refused", OURS),
        ("rcpt", 530, "Authentication required", OURS),
        # no server, no secure line, no login: the run stops, whatever the code
        ("connect", 0, "Connection refused", OURS),
        ("connect", 554, "5.7.1 No service for you", OURS),
        ("connect", 421, "Too busy", OURS),
        ("tls", 0, "certificate verify failed", OURS),
        ("login", 535, "5.7.8 Wrong password", OURS),
        ("login", 454, "4.7.0 Temporary failure", OURS),
    ],
)
def test_an_error_has_the_category_of_whose_fault_it_is(
    phase: Phase, code: int, text: str, expected: tuple[FaultCategory, bool]
) -> None:
    error = SmtpError(phase, code, text)
    assert (error.category, error.is_dead_address) == expected


def test_no_address_is_dead_because_of_a_fault_of_ours() -> None:
    for code in ("5.7.1", "5.7.26", "5.6.0", "5.3.4", "5.5.1", "5.1.8"):
        for phase in ("mail", "data", "ack"):
            error = SmtpError(phase, 550, f"{code} no")
            assert (error.category, error.is_dead_address) == OURS
        assert not SmtpError("rcpt", 550, f"{code} no").is_dead_address


def test_an_error_says_where_and_what_in_one_bounded_line() -> None:
    assert str(SmtpError("rcpt", 550, "5.1.1 No such user")) == "rcpt: 550 5.1.1 No such user"
    assert str(SmtpError("connect", 0, "Connection refused")) == "connect: Connection refused"
    assert len(str(SmtpError("ack", 554, "x" * 5000))) <= 500


def test_only_an_enhanced_code_at_the_start_of_a_reply_counts() -> None:
    assert SmtpError("rcpt", 550, "5.1.1 No such user").enhanced_code == "5.1.1"
    assert SmtpError("rcpt", 550, "5.1.10: gone").enhanced_code == "5.1.10"
    assert SmtpError("rcpt", 550, "not 5.1.1 at all").enhanced_code == ""
