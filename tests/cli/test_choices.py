"""`paperboy subscribers set`, as an operator changes what a subscriber gets."""

from functools import partial

import pytest

from core.schema import open_database
from core.settings import load_settings
from delivery.models import Delivery
from subscribers.accounts import find
from tests.cli.runner import Paperboy, json_of

MINJI = "minji@example.com"
ADD = ("add", MINJI, "--language", "ko", "--frequency", "weekly", "--confirmed", "--now", "2025-08-01")
NOW = ("--now", "2025-08-04T08:00+09:00")


@pytest.fixture
def subscribers(database_url: str, run_command: Paperboy, monkeypatch: pytest.MonkeyPatch) -> Paperboy:
    """Runs `paperboy subscribers …` with a database of each kind in which Minji is an active subscriber."""
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
    run = partial(run_command, "subscribers")
    assert run(*ADD)[0] == 0
    return run


def changes_of_minji() -> list[tuple[str, str]]:
    """What changed about Minji since she confirmed, and where each change came from."""
    database = open_database(load_settings().database_url)
    with database.sessions() as session:
        subscriber = find(session, MINJI)
        assert subscriber
        events = [(event.what, event.detail.get("from", "")) for event in subscriber.events]
    database.engine.dispose()
    return events[events.index(("confirmed", "")) + 1 :]


def letters() -> list[tuple[str, str]]:
    """The slot and state of each delivery."""
    database = open_database(load_settings().database_url)
    with database.sessions() as session:
        found = [(row.edition.kind.value, row.state.value) for row in session.query(Delivery)]
    database.engine.dispose()
    return found


def test_an_operator_changes_what_a_subscriber_gets_and_the_history_says_so(subscribers: Paperboy) -> None:
    changed = subscribers("set", "MINJI@example.com", "--language", "en", "--frequency", "daily", *NOW)
    assert changed == (0, "minji@example.com: en, daily, full, active\n", "")
    changed = subscribers("set", MINJI, "--detail", "brief", *NOW)
    assert changed == (0, "minji@example.com: en, daily, brief, active\n", "")
    changed = subscribers("set", MINJI, "--language", "both")
    assert changed[1] == "minji@example.com: both, daily, brief, active\n", "what is not named stays"
    assert changes_of_minji() == [("changed", "by hand")] * 3
    shown = json_of(subscribers("show", MINJI, "--json"))
    assert (shown["detail"], shown["changes"][-2]["detail"]["detail"]) == ("brief", "brief")


def test_an_operator_pauses_a_subscription_until_a_day_and_resumes_it(subscribers: Paperboy) -> None:
    paused = json_of(subscribers("set", MINJI, "--pause-until", "2025-08-20", "--json", *NOW))
    assert (paused["email"], paused["status"]) == (MINJI, "paused")
    assert json_of(subscribers("show", MINJI, "--json"))["changes"][-1]["detail"]["until"] == "2025-08-20"
    assert subscribers("set", MINJI, "--resume")[1] == "minji@example.com: ko, weekly, full, active\n"
    assert changes_of_minji() == [("paused", "by hand"), ("resumed", "by hand")]


def test_an_operator_ends_a_subscription_with_one_farewell(subscribers: Paperboy) -> None:
    for _ in range(2):
        ended = subscribers("set", MINJI, "--unsubscribe", *NOW)
        assert ended == (0, "minji@example.com: ko, weekly, full, unsubscribed\n", "")
    assert changes_of_minji() == [("unsubscribed", "by hand")]
    assert letters() == [("farewell", "planned")]


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--json",),
        ("--pause-until", "2025-09-01", "--resume"),
        ("--resume", "--unsubscribe"),
        ("--pause-until", "2025-09-01", "--unsubscribe"),
        ("--language", "fr"),
        ("--frequency", "hourly"),
        ("--detail", "long"),
        ("--pause-until", "soon"),
        ("--pause-until", "2025-08-04"),
        ("--pause-until", "2027-01-01"),
        ("--language", "en", "--pause-until", "2025-08-01"),
    ],
)
def test_options_that_say_nothing_or_contradict_each_other_are_an_error_of_usage(
    subscribers: Paperboy, options: tuple[str, ...]
) -> None:
    code, out, err = subscribers("set", MINJI, *options, *NOW)
    assert (code, out) == (2, "")
    assert "subscribers set [OPTIONS]" in err
    assert err.count("Error") == 1
    assert changes_of_minji() == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("nobody@example.com", "--resume"), "paperboy: nobody@example.com is not subscribed"),
        (("nobody", "--resume"), "paperboy: 'nobody' is not an address that can be mailed"),
        ((MINJI, "--language", "en", "--resume"), "paperboy: the subscription is unsubscribed, not paused"),
    ],
)
def test_a_change_that_is_impossible_is_one_line_and_changes_nothing(
    subscribers: Paperboy, arguments: tuple[str, ...], line: str
) -> None:
    subscribers("set", MINJI, "--unsubscribe", *NOW)
    code, out, err = subscribers("set", *arguments, *NOW)
    assert (code, out) == (1, "")
    assert err.startswith(line)
    assert len(err.splitlines()) == 1
    assert subscribers("set", MINJI, "--frequency", "daily")[1].endswith("ko, daily, full, unsubscribed\n")
