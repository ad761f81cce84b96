"""The bounces that the authors of flufl.bounce collected (Mailman's detector, as an sdist on PyPI) are understood.

The mails were read by hand. `HARD` are those that say that an address or a domain does not exist.
"""

import tarfile
from functools import cache
from pathlib import Path

from bounces.parser import BounceKind, ParsedBounce, parse_bounce
from delivery.status_codes import LASTING, FailureKind, failure_kind
from tests.support.programs import missing

ARCHIVES = Path(__file__).with_name("public_sets")


def _names(text: str) -> set[str]:
    return set(text.split())


HARD = _names(
    """
    bounce_02 dsn_10 dsn_11 dsn_12 dsn_13 dsn_14 dsn_16 dsn_18 exim_01 groupwise_01 groupwise_02
    hotpop_01 llnl_01 microsoft_01 microsoft_02 microsoft_04 postfix_01 qmail_03 qmail_04 qmail_05
    simple_04 simple_05 simple_06 simple_08 simple_11 simple_12 simple_13 simple_15 simple_19 simple_23
    simple_25 simple_26 simple_27 simple_29 simple_30 simple_33 simple_34 simple_36 simple_37 simple_39
    simple_41 simple_43 smtp32_04 smtp32_06 smtp32_07 yahoo_10 yahoo_11 yahoo_13 yale_01
    """
)
MISSED = {"llnl_01": "it says how addresses are written there, and not that this one does not exist"}
# The sender, the content or the sender's way to the server is refused, or the server itself fails.
NOT_THE_RECIPIENTS = _names(
    """
    aol_01 dsn_03 dsn_09 dumbass_01 postfix_02 postfix_03 postfix_05 sendmail_01 simple_01 simple_18
    simple_42
    """
)


@cache
def mails() -> dict[str, ParsedBounce]:
    """The mails of the archive by name."""
    archive = next(ARCHIVES.glob("flufl_bounce-*.tar.gz"), None)
    if archive is None:
        missing("tests/bounces/public_sets has no flufl.bounce: make test downloads it")
    found = {}
    with tarfile.open(archive) as files:
        for member in files:
            path = Path(member.name)
            if path.parent.name == "data" and path.suffix == ".txt":
                content = files.extractfile(member)
                assert content
                found[path.stem] = parse_bounce(content.read())
    return found


def names_of(*kinds: FailureKind) -> set[str]:
    """The bounces with a recipient of which a failure of these kinds is reported."""
    return {
        name
        for name, mail in mails().items()
        if mail.kind == BounceKind.BOUNCE
        and any(failure_kind(recipient.status) in kinds for recipient in mail.recipients)
    }


def test_only_addresses_that_do_not_exist_are_suppressed() -> None:
    assert len(mails()) == 117
    assert names_of(FailureKind.NO_SUCH_ADDRESS) - HARD == set()


def test_at_most_five_percent_of_the_hard_bounces_are_missed() -> None:
    assert HARD - names_of(FailureKind.NO_SUCH_ADDRESS, *LASTING) == MISSED.keys()
    assert len(MISSED) / len(HARD) <= 0.05


def test_no_fault_of_the_senders_counts_against_an_address() -> None:
    assert names_of(FailureKind.NO_SUCH_ADDRESS, *LASTING) & NOT_THE_RECIPIENTS == set()
