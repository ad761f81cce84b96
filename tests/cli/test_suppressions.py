"""`paperboy subscribers suppress` and `unsuppress`, as an operator uses them."""

from functools import partial

import pytest

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


def test_an_operator_suppresses_an_address_and_lifts_it_again(subscribers: Paperboy) -> None:
    suppressed = subscribers("suppress", "MINJI@example.com", "--reason", "she asked by phone", *NOW)
    lift = "`paperboy subscribers unsuppress` lifts it.\n"
    assert suppressed == (0, f"MINJI@example.com: suppressed (she asked by phone). {lift}", "")
    again = subscribers("suppress", MINJI, *NOW)[1]
    assert again == f"minji@example.com: was suppressed already (she asked by phone). {lift}"
    shown = json_of(subscribers("show", MINJI, "--json"))
    assert (shown["status"], shown["suppressed"]) == ("bounced", "she asked by phone")
    code, out, _ = subscribers("unsuppress", MINJI, *NOW)
    assert (code, out.partition(" Mails")[0]) == (
        0,
        "minji@example.com: may be mailed again (it was suppressed: she asked by phone). "
        "Unread papers, from the next weekly digest on: 0.",
    )
    shown = json_of(subscribers("show", MINJI, "--json"))
    assert (shown["status"], shown["suppressed"]) == ("active", None)


@pytest.mark.parametrize(
    ("before", "next_"),
    [
        (
            ("set", MINJI, "--pause-until", "2025-09-01", *NOW),
            "Unread papers, from the first weekly digest after the pause (until 2025-09-01) on: 0.",
        ),
        (
            ("set", MINJI, "--unsubscribe", *NOW),
            "The subscription is unsubscribed: its owner gets mails after a new sign-up.",
        ),
        (("forget", MINJI, *NOW), "Nobody is subscribed with it."),
    ],
)
def test_lifting_says_what_the_subscriber_gets_next(
    subscribers: Paperboy, before: tuple[str, ...], next_: str
) -> None:
    assert subscribers(*before)[0] == 0
    assert subscribers("suppress", MINJI, *NOW)[0] == 0
    lifted = json_of(subscribers("unsuppress", MINJI, "--json", *NOW))
    assert lifted["next"].partition(" Mails")[0] == next_


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("unsuppress", MINJI), "paperboy: minji@example.com is not suppressed"),
        (("suppress", "nobody"), "paperboy: 'nobody' is not an address that can be mailed"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    subscribers: Paperboy, arguments: tuple[str, ...], line: str
) -> None:
    code, out, err = subscribers(*arguments, *NOW)
    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith(line)
