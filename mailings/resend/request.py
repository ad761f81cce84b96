"""What an operator can ask to be sent again, and to whom."""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

from core.errors import PaperboyError
from core.frequencies import Frequency
from core.languages import Language

MAX_REASON_LENGTH = 200


class ResendError(PaperboyError):
    """The request cannot be carried out. The message says why."""


class ResendGroup(StrEnum):
    """Subscribers by what became of their mail."""

    FAILED = "failed"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"
    MISSED = "missed"
    OUTDATED = "outdated"
    EVERYONE = "everyone"

    @property
    def meaning(self) -> str:
        """What the group is, for operators."""
        return _MEANINGS[self]


_MEANINGS = {
    ResendGroup.FAILED: "the server refused it",
    ResendGroup.EXPIRED: "the server said later to the end",
    ResendGroup.UNCERTAIN: "nobody knows whether it arrived",
    ResendGroup.MISSED: "was never sent it",
    ResendGroup.OUTDATED: "got a text that was corrected since",
    ResendGroup.EVERYONE: "whoever reads",
}


@dataclass(frozen=True)
class ResendRequest:
    """What an operator asks for, and why.

    - What: an `issue` (by first day or topic id), of it only the corrected papers (`is_correction`), or a
      `delivery` (by id).
    - To whom: one address (`to`), or the `groups`, perhaps only those of one language or frequency. Without groups,
      a correction goes to those who got the old text.
    """

    issue: str = ""
    delivery: int | None = None
    is_correction: bool = False
    to: str = ""
    groups: tuple[ResendGroup, ...] = ()
    language: Language | None = None
    frequency: Frequency | None = None
    reason: str = ""

    @property
    def chosen_groups(self) -> tuple[ResendGroup, ...]:
        """The groups that are asked for, or those that a request means if it names none."""
        is_to_outdated = self.is_correction and not self.to
        return self.groups or (ResendGroup.OUTDATED if is_to_outdated else ResendGroup.EVERYONE,)


def check_request(request: ResendRequest) -> None:
    """Check that a request says clearly what and to whom.

    Raises:
        ResendError: it does not.
    """
    if (request.delivery is None) == (not request.issue):
        raise ResendError("name an issue or a delivery: one of them")
    chosen = (request.to, request.groups, request.language, request.frequency, request.is_correction)
    if request.delivery is not None:
        if any(chosen):
            raise ResendError("a delivery is sent again as it was, to its reader: leave out all else")
        return
    if request.to and any(chosen[1:4]):
        raise ResendError("one address needs no group, language or frequency")
    if not any(chosen):
        raise ResendError("say to whom: an address, a group, a language or a frequency")


def request_key(value: object) -> str:
    """A short hash of JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
