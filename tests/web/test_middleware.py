"""The middleware that guards the pages, forms and bodies of any content, and the privacy of the log."""

import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.database import Database
from emails.identity import LINK_PATHS
from issues.parse.text import has_hangul
from subscribers.accounts import find
from subscribers.tokens import LinkPurpose
from tests.support.site import CHOICE, Site, open_site

ALLOWED_ORIGIN, OTHER_ORIGIN = "https://allowed.example", "https://other.example"
MAX_BODY_BYTES = 64 * 1024
SIGN_UP = {"email": "minji@example.com", **CHOICE}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Origin": OTHER_ORIGIN}, 403),
        ({"Origin": "http://[x"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "null"}, 403),
        ({}, 303),
    ],
)
def test_a_form_from_another_site_is_refused_and_changes_nothing(
    shared_sample_site: Site, headers: dict[str, str], status: int
) -> None:
    shared_sample_site.wait_until_idle()  # another form may have been accepted before
    before = shared_sample_site.rows(without=("rate_limit_counts",))
    answer = shared_sample_site.client.post(
        "/subscribe", data={"email": "x@example.com", **CHOICE}, headers=headers
    )
    assert answer.status_code == status
    if status == 403:
        assert shared_sample_site.rows(without=("rate_limit_counts",)) == before


def test_scripts_of_other_sites_may_use_the_json_interface_only_from_allowed_origins(
    sample_database: Database, tmp_path: Path
) -> None:
    preflight_headers = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    with open_site(sample_database, tmp_path, api_origins=ALLOWED_ORIGIN) as site:
        for origin, allowed in ((ALLOWED_ORIGIN, ALLOWED_ORIGIN), (OTHER_ORIGIN, None)):
            headers = {"Origin": origin}
            preflight = site.client.options("/api/subscribers", headers=headers | preflight_headers)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            answer = site.client.post("/api/subscribers", json=SIGN_UP, headers=headers)
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/subscribe", "보내신 내용이 너무 큽니다"),
        ("/subscribe?lang=en", "This is too large"),
        ("/u/x?lang=en", "This is too large"),
        ("/api/subscribers", '{"detail":"the body is over 64 KB"}'),
    ],
)
def test_a_body_over_64_kb_is_refused_even_without_length_in_the_visitors_language(
    shared_sample_site: Site, path: str, message: str
) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1024 + 1):
            yield b"x" * 1024

    content_type = "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
    answer = shared_sample_site.client.post(path, content=chunks(), headers={"Content-Type": content_type})
    assert answer.status_code == 413
    assert message in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    with closing(HTTPConnection(urlsplit(shared_sample_site.url).netloc)) as connection:
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", f"{MAX_BODY_BYTES + 1}")
        connection.endheaders()  # refused before any of the body is sent
        refusal = connection.getresponse()
        assert refusal.status == 413
        assert message in refusal.read().decode()


def test_every_answer_has_security_headers_and_pages_with_tokens_are_never_cached(
    shared_sample_site: Site,
) -> None:
    address = shared_sample_site.add("headers@example.com")
    preferences = shared_sample_site.link(LinkPurpose.PREFERENCES, address)
    links = [shared_sample_site.link(purpose, address) for purpose in LINK_PATHS]
    old = shared_sample_site.link(LinkPurpose.PREFERENCES, address, days_ago=40)
    private = [*links, old, f"{preferences}/data.json", "/sent", "/p/wrong"]
    for path in [*private, "/", "/archive", "/archive.atom", "/style.css", "/nothing", "/api/openapi.json"]:
        headers = shared_sample_site.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("same-origin", "nosniff")
        assert "set-cookie" not in headers
        assert ("no-store" in headers.get("cache-control", "")) == (path in private)
        assert ("noindex" in headers.get("x-robots-tag", "")) == (path in private)


def test_a_filled_robot_trap_gets_the_usual_answer_and_stores_nothing(shared_sample_site: Site) -> None:
    before = shared_sample_site.rows()
    answer = shared_sample_site.sign_up("robot@example.com", website="https://spam.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sent")
    shared_sample_site.wait_until_idle()
    assert shared_sample_site.rows() == before


ANY_TEXT = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(categories=["Cc", "Cf", "Co", "Zl", "Zp"]), max_size=20),
    st.sampled_from(
        [
            *("a\x00@example.com", "minji@example.com\r\nBcc: a@b.c", "x" * 5000, "y" * 60_000),
            *("<script>", "{0}", "%s", "1", "One-Click", "ko", "weekly", "0001-01-01", "9999-12-31"),
        ]
    ),
)
FORMS = (
    "/subscribe",
    *("/p/{p}/save", "/p/{p}/pause", "/p/{p}/resume", "/p/{p}/move", "/p/{p}/forget", "/p/{p}/revoke"),
    *("/p/x/fresh", "/c/x", "/m/x", "/u/x", "/u/{u}", "/u/{u}/undo"),
)
FIELDS = ("email", "language", "frequency", "until", "website", "sure", "reason", "List-Unsubscribe", "")
CONTENT_TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data; boundary=y",
    "multipart/form-data",
    "application/json",
    "text/plain",
    "nonsense",
    "",
)


@settings(max_examples=200)
@given(
    form=st.sampled_from(FORMS),
    fields=st.lists(st.tuples(st.sampled_from(FIELDS), ANY_TEXT), max_size=8),
    as_file=st.booleans(),
    language=st.sampled_from(["ko", "en"]),
)
def test_any_form_is_answered_with_one_clear_message_in_the_visitors_language(
    shared_sample_site: Site, form: str, fields: list[tuple[str, str]], as_file: bool, language: str
) -> None:
    """Fields are missing, huge, repeated or unknown, have control characters, or are files."""
    raw = [(name, text.encode("utf-8", "surrogatepass")) for name, text in fields]
    if as_file and raw:
        body: dict[str, Any] = {"files": [(name, (name, text)) for name, text in raw]}
    else:
        body = {
            "content": urlencode(raw),
            "headers": {"Content-Type": "application/x-www-form-urlencoded"},
        }
    assert_clear(
        shared_sample_site.client.post(f"{_with_tokens(shared_sample_site, form)}?lang={language}", **body),
        language,
    )


@settings(max_examples=200)
@given(
    form=st.sampled_from(FORMS),
    content_type=st.sampled_from(CONTENT_TYPES),
    body=st.one_of(
        st.binary(max_size=200),
        st.builds(
            b"--y\r\nContent-Disposition: form-data; name=%b\r\n\r\n%b\r\n--y--".__mod__,
            st.tuples(st.binary(max_size=20), st.binary(max_size=20)),
        ),
        st.sampled_from(
            [b"--y", b"--x\r\n\r\n--x--", b"{", b"%ff=%ff&email=%ff", b"&" * 5000, b"a=1&" * 5000]
        ),
    ),
    language=st.sampled_from(["ko", "en"]),
)
def test_any_body_is_answered_with_one_clear_message_in_the_visitors_language(
    shared_sample_site: Site, form: str, content_type: str, body: bytes, language: str
) -> None:
    """Bodies are broken multipart forms, are not UTF-8, or have a type that forms do not have."""
    headers = {"Content-Type": content_type} if content_type else {}
    path = f"{_with_tokens(shared_sample_site, form)}?lang={language}"
    assert_clear(shared_sample_site.client.post(path, content=body, headers=headers), language)


def assert_clear(answer: httpx.Response, language: str) -> None:
    """The answer is a redirect or has one message in the language. Only a mail client gets plain text."""
    if answer.status_code == 303 or answer.text == "unsubscribed\n":
        return
    assert answer.status_code in {200, 400, 404, 409, 410, 413}
    assert answer.headers["content-language"] == language
    assert answer.text.count("<h1>") == 1
    assert answer.text.count('class="fault"') <= 1
    heading = answer.text.partition("<h1>")[2].partition("</h1>")[0]
    assert has_hangul(heading) == (language == "ko")


@pytest.mark.parametrize("path", ["abc", "1?text=fr", "0", "-1", "9" * 30, "1%00", "٣"])
def test_an_impossible_issue_address_is_answered_with_page_not_found(
    shared_sample_site: Site, path: str
) -> None:
    answer = shared_sample_site.client.get(f"/archive/{path}", headers={"Accept-Language": "en"})
    assert (answer.status_code, "Page not found" in answer.text) == (404, True)


def test_the_log_names_no_subscriber(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the test's own client
    site.server.on_rcpt = lambda address: (
        "550 5.1.1 <bad.reader@example.com> unknown" if "bad" in address else None
    )
    site.sign_up("bad.reader@example.com")
    site.wait_until_idle()
    site.sign_up("good.reader@example.com")
    site.mail("good.reader@example.com")
    preferences = site.link(LinkPurpose.PREFERENCES, "good.reader@example.com")
    site.client.post(f"{preferences}/move", data={"email": "other.reader@"})
    site.sign_up("wrong.reader@")
    site.client.post("/api/subscribers", json={**SIGN_UP, "email": "wrong.reader@"})
    assert "reader@" not in caplog.text


def _with_tokens(site: Site, form: str) -> str:
    """The form's path with the tokens of a subscriber.

    The subscriber is added again when an earlier example has erased them or changed their address.
    """
    address = "fuzz@example.com"
    with site.database.sessions() as session:
        is_known = find(session, address) is not None
    if not is_known:
        site.add(address)
    tokens = {page: site.link(purpose, address).rpartition("/")[2] for purpose, page in LINK_PATHS.items()}
    return form.format_map(tokens)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/archive/", "/archive"),
        ("//evil.example/", "/evil.example"),
        ("///evil.example/x/", "/evil.example/x"),
        ("/archive/?lang=en", "/archive?lang=en"),
        ("/operator/", "/operator"),
    ],
)
def test_slashes_too_many_lead_to_the_page_itself_and_never_to_another_host(
    shared_sample_site: Site, path: str, target: str
) -> None:
    url = httpx.URL(shared_sample_site.url).copy_with(raw_path=path.encode())
    answer = httpx.get(url, headers={"Host": "evil.example"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, target)


def test_a_connection_that_asks_for_nothing_is_closed(
    sample_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paperboy.web.http_protocol.MAX_REQUEST_SECONDS", 0.2)
    with open_site(sample_database, tmp_path) as site:
        host, port = site.url.removeprefix("http://").split(":")
        for beginning in (b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(beginning)
                assert connection.recv(1) == b"", "the server closes it"
        assert site.client.get("/health").status_code == 200
