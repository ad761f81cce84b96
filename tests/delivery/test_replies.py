"""What each refusal of a mail server means for a delivery."""

import pytest

from delivery.transport.smtp.replies import Phase, SmtpError, Verdict, judge

LATER = Verdict("deferred")
NEVER = Verdict("failed")
NO_SUCH_ADDRESS = Verdict("failed", suppress=True)
OUR_FAULT = Verdict("planned", stop=True)


@pytest.mark.parametrize(
    ("phase", "code", "text", "verdict"),
    [
        # 421 and 4xx: later, whatever else is said
        ("mail", 421, "4.7.0 Try again later", LATER),
        ("rcpt", 451, "4.7.1 Greylisted", LATER),
        ("rcpt", 452, "4.2.2 Mailbox full", LATER),
        ("rcpt", 450, "5.1.1 A code that contradicts itself", LATER),
        ("data", 451, "4.3.0 No space", LATER),
        ("ack", 451, "no enhanced code", LATER),
        # lost before the final dot: later; after it: nobody knows
        ("mail", 0, "Connection unexpectedly closed", LATER),
        ("rcpt", 0, "timed out", LATER),
        ("data", 0, "timed out", LATER),
        ("ack", 0, "timed out", Verdict("uncertain")),
        # no such address
        *(
            (phase, 550, f"{code} No such user", NO_SUCH_ADDRESS)
            for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
            for phase in ("rcpt", "ack")
        ),
        # this reader's mailbox, but not known to be dead
        ("rcpt", 552, "5.2.2 Mailbox full", NEVER),
        ("rcpt", 550, "5.2.1 Mailbox disabled", NEVER),
        ("rcpt", 550, "No such user here", NEVER),
        ("rcpt", 550, "5.1.11 Not in the table", NEVER),
        ("rcpt", 553, "5.6.7 Not an address in ASCII", NEVER),
        # our fault
        ("rcpt", 550, "5.7.1 Relaying denied", OUR_FAULT),
        ("ack", 550, "5.7.26 Unauthenticated mail is prohibited", OUR_FAULT),
        ("ack", 550, "5.6.0 Not RFC 5322 compliant", OUR_FAULT),
        ("ack", 552, "5.3.4 Message too big", OUR_FAULT),
        ("mail", 530, "5.7.0 Must issue STARTTLS first", OUR_FAULT),
        ("mail", 535, "Authentication needed", OUR_FAULT),
        ("mail", 550, "5.1.1 Sender unknown", OUR_FAULT),
        ("mail", 553, "Sender refused", OUR_FAULT),
        ("rcpt", 530, "Authentication required", OUR_FAULT),
        # no server, no secure line, no login: the run stops, whatever the code
        ("connect", 0, "Connection refused", OUR_FAULT),
        ("connect", 554, "5.7.1 No service for you", OUR_FAULT),
        ("connect", 421, "Too busy", OUR_FAULT),
        ("tls", 0, "certificate verify failed", OUR_FAULT),
        ("login", 535, "5.7.8 Wrong password", OUR_FAULT),
        ("login", 454, "4.7.0 Temporary failure", OUR_FAULT),
    ],
)
def test_a_refusal_falls_on_whose_fault_it_is(phase: Phase, code: int, text: str, verdict: Verdict) -> None:
    assert judge(SmtpError(phase, code, text)) == verdict


def test_nobody_is_suppressed_for_a_fault_of_ours() -> None:
    for code in ("5.7.1", "5.7.26", "5.6.0", "5.3.4", "5.5.1", "5.1.8"):
        for phase in ("mail", "rcpt", "data", "ack"):
            verdict = judge(SmtpError(phase, 550, f"{code} no"))
            assert verdict == OUR_FAULT


def test_a_refusal_says_where_and_what_in_one_bounded_line() -> None:
    assert str(SmtpError("rcpt", 550, "5.1.1 No such user")) == "rcpt: 550 5.1.1 No such user"
    assert str(SmtpError("connect", 0, "Connection refused")) == "connect: Connection refused"
    assert len(str(SmtpError("ack", 554, "x" * 5000))) <= 500


def test_only_a_code_at_the_reply_s_beginning_counts() -> None:
    assert SmtpError("rcpt", 550, "5.1.1 No such user").enhanced == "5.1.1"
    assert SmtpError("rcpt", 550, "5.1.10: gone").enhanced == "5.1.10"
    assert SmtpError("rcpt", 550, "not 5.1.1 at all").enhanced == ""
