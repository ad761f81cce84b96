"""Says which day of a domain's warm-up it is, and how many mails a large provider gets today."""

from collections.abc import Iterator
from datetime import datetime

from core.settings import Settings
from delivery.warm_up import DAYS
from mailings.context import warm_up_from
from monitoring.findings import Finding, ok, warning

NAME = "warm-up"


def check(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Check that a warm-up in the settings still has an effect. Without one there is nothing to say."""
    warm_up = warm_up_from(settings)
    if warm_up is None:
        return
    number, cap = warm_up.number_of_day(now), warm_up.cap(now)
    if cap is None:
        problem = f"it ended on {warm_up.last_day}, so PAPERBOY_WARM_UP_FROM has no effect any more"
        yield warning(NAME, problem, "remove PAPERBOY_WARM_UP_FROM, or set it for another domain")
    elif warm_up.day(now) < warm_up.first_day:
        yield ok(
            NAME, f"it begins on {warm_up.first_day}; each large provider gets {cap} mails a day until then"
        )
    else:
        yield ok(NAME, f"day {number} of {DAYS}: each large provider gets at most {cap} mails today")
