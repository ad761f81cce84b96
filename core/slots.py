"""Slots: the names of the times and occasions that mails belong to.

This module is the only one that builds slots or takes them apart:

- `weekly:2025-W32` and `daily:2025-08-05` are digests, in local time.
- `weekly:2025-W32:9613` is the digest of a late issue (by its topic id), for those who had a mail in the slot before.
- `welcome:20250805T080000` is a welcome with papers, at the time of the confirmation (UTC).
- `confirmation:1f2e3d4c` is a letter, with a random part so that a subscriber can get it again.
- `resend:17` holds the copies of the operator's resend with id 17. An *edition* made for a resend has the
  slot `resend:TOPIC_ID` instead, so that all copies of one issue can be found.
- `preview:weekly` is never stored.
"""

import secrets
from datetime import datetime
from typing import assert_never

from core.frequencies import Frequency

WELCOME = "welcome"
RESEND = "resend"


def digest_slot(frequency: Frequency, local: datetime) -> str:
    """The slot of the digest that is due at a local time."""
    match frequency:
        case Frequency.WEEKLY:
            year, week, _ = local.isocalendar()
            return f"{frequency}:{year}-W{week:02}"
        case Frequency.DAILY:
            return f"{frequency}:{local.date().isoformat()}"
        case _:
            assert_never(frequency)


def late_issue_slot(slot: str, topic_id: int) -> str:
    """The slot of an issue that came late, for those who had a mail in the digest slot before it came."""
    return f"{slot}:{topic_id}"


def digest_slot_prefix(frequency: Frequency) -> str:
    """What all digest slots of a frequency begin with."""
    return f"{frequency}:"


def welcome_slot(now: datetime) -> str:
    """The slot of one subscriber's welcome with papers."""
    return f"{WELCOME}:{now:%Y%m%dT%H%M%S}"


def is_welcome_slot(slot: str) -> bool:
    """Whether the slot is a welcome's."""
    return slot.startswith(f"{WELCOME}:")


def letter_slot(kind: str) -> str:
    """A new slot for a letter of a kind."""
    return f"{kind}:{secrets.token_hex(4)}"


def resend_slot(resend_id: int) -> str:
    """The slot of the deliveries of one resend."""
    return f"{RESEND}:{resend_id}"


def resend_edition_slot(topic_id: int) -> str:
    """The slot of all editions that were made to resend papers of one issue."""
    return f"{RESEND}:{topic_id}"


def is_resend_slot(slot: str) -> bool:
    """Whether the slot holds the deliveries of a resend."""
    return slot.startswith(f"{RESEND}:")


def resend_id_of(slot: str) -> int:
    """The id of the resend whose deliveries a slot holds.

    Raises:
        ValueError: the slot belongs to something else.
    """
    if not is_resend_slot(slot):
        raise ValueError(f"{slot!r} is not the slot of a resend")
    return int(slot.partition(":")[2])


def preview_slot(name: str) -> str:
    """The slot of a preview."""
    return f"preview:{name}"


def regular_part(slot: str) -> str:
    """The digest slot that a late issue's own slot belongs to; any other slot as it is."""
    frequency, _, rest = slot.partition(":")
    return f"{frequency}:{rest.partition(':')[0]}"
