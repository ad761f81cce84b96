"""The settings of an installation become the rules of its digests."""

from datetime import timedelta
from typing import Any

import pytest

from core.settings import Settings
from mailings.context import MailingRules, rules_from


@pytest.mark.parametrize(("uncertain", "is_repeated"), [("repeat", True), ("hold", False)])
def test_an_uncertain_mail_is_repeated_only_where_the_operator_wants_it(
    uncertain: str, is_repeated: bool
) -> None:
    chosen: dict[str, Any] = {"uncertain": uncertain, "settle_minutes": 45, "daily_papers": 3}
    settings = Settings(_env_file=None, **chosen)  # type: ignore[call-arg]
    assert rules_from(settings) == MailingRules(timedelta(minutes=45), 3, is_repeated)
