"""Authentication-Results are read as RFC 8601 writes them, and only the topmost ones of the named server."""

from email.message import Message

import pytest

from bounces.authentication_results import MethodResult, results_of

MX = "mx.example.org"


def _headers(*fields: str) -> Message:
    message = Message()
    for field in fields:
        message["Authentication-Results"] = field
    return message


@pytest.mark.parametrize(
    ("field", "results"),
    [
        ("mx.example.org; none", []),
        (
            "mx.example.org 1; spf=pass smtp.mailfrom=example.net",
            [("spf", "pass", {"smtp.mailfrom": "example.net"})],
        ),
        (
            'MX.example.org; dkim=pass (good; "spf=fail") header.d=Example.com header.b="a;b"; spf=softfail',
            [("dkim", "pass", {"header.d": "example.com", "header.b": "a;b"}), ("spf", "softfail", {})],
        ),
        (
            'mx.example.org; dkim=fail reason="bad; spf=pass" header.i=@example.com header.b=ab+/c==',
            [
                (
                    "dkim",
                    "fail",
                    {"reason": "bad; spf=pass", "header.i": "@example.com", "header.b": "ab+/c=="},
                )
            ],
        ),
        ("mx.example.org (a (nested; dkim=pass) one);\r\n\tdkim / 1 = fail", [("dkim", "fail", {})]),
        (
            '"mx.example.org"; dmarc=pass(p=none) header.from=example.com',
            [("dmarc", "pass", {"header.from": "example.com"})],
        ),
    ],
)
def test_methods_results_and_properties_are_read_without_comments(
    field: str, results: list[tuple[str, str, dict[str, str]]]
) -> None:
    assert results_of(_headers(field), MX) == [MethodResult(*entry) for entry in results]


def test_only_the_topmost_field_of_the_named_server_counts() -> None:
    fields = ("relay.example; dkim=pass", f"{MX}; dkim=fail", f"{MX}; dkim=pass")
    assert results_of(_headers(*fields), MX) == [MethodResult("dkim", "fail", {})]


@pytest.mark.parametrize(
    "field",
    ["mx.example.org.evil.example; dkim=pass", "dkim=pass; mx.example.org", f"x ({MX}); dkim=pass", ""],
)
def test_a_field_of_another_server_does_not_count(field: str) -> None:
    assert results_of(_headers(field), MX) is None


def test_the_domain_of_a_signature_is_that_of_the_key_or_of_the_agent() -> None:
    (by_domain, by_agent, neither) = (
        results_of(
            _headers(f"{MX}; dkim=pass header.d=a.example; dkim=pass header.i=@b.example; dkim=pass"), MX
        )
        or []
    )
    assert (by_domain.domain, by_agent.domain, neither.domain) == ("a.example", "b.example", "")
