"""What a receiver says about a probe is judged by the results that are about our own signature and envelope."""

from email.message import Message

import pytest

from bounces.probe_verdict import judge

MX = "mx.example.org"
US = "news.example.org"


def _verdicts(results: str) -> list[str]:
    """The verdicts on a mail with these results: subject, state and problem."""
    headers = Message()
    headers["Authentication-Results"] = f"{MX}; {results}"
    findings = judge(headers, "bounces@news.example.org", US, MX)
    subjects = ("DKIM", "SPF", "DMARC")
    named = ((found, found.name.partition(" at ")[0]) for found in findings)
    return [f"{subject} {found.state}: {found.problem}" for found, subject in named if subject in subjects]


GOOD = "dkim=pass header.d=news.example.org; spf=pass smtp.mailfrom=b@news.example.org"


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        (f"{GOOD}; dkim=fail header.d=relay.example", "DKIM ok: mx.example.org says pass"),
        ("dkim=pass header.d=example.org; spf=pass", "DKIM ok: mx.example.org says pass"),
        ("dkim=pass header.i=@news.example.org; spf=pass", "DKIM ok: mx.example.org says pass"),
        (
            "dkim=pass header.d=relay.example; dkim=fail header.d=news.example.org; spf=pass",
            "DKIM failed: mx.example.org says fail for DKIM",
        ),
        (
            "dkim=pass header.d=relay.example; spf=pass",
            "DKIM failed: mx.example.org says nothing about DKIM of news.example.org",
        ),
        (
            "dkim=temperror header.d=news.example.org; spf=pass",
            "DKIM warning: mx.example.org could not look DKIM up for now",
        ),
        (
            "dkim=pass header.d=news.example.org; spf=fail smtp.mailfrom=news.example.org; spf=pass smtp.helo=relay",
            "SPF failed: mx.example.org says fail for SPF",
        ),
        ("dkim=pass", "SPF failed: mx.example.org says nothing about SPF of news.example.org"),
        (
            f"{GOOD}; dmarc=fail header.from=news.example.org",
            "DMARC failed: mx.example.org says fail for DMARC",
        ),
    ],
)
def test_the_result_that_counts_is_the_one_about_us(results: str, verdict: str) -> None:
    assert verdict in _verdicts(results)


def test_a_server_that_does_not_judge_dmarc_is_no_fault() -> None:
    assert _verdicts(GOOD) == ["DKIM ok: mx.example.org says pass", "SPF ok: mx.example.org says pass"]
