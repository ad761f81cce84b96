"""What guards the pages: who may post, how much, what every answer says of itself, and what is logged."""

import logging
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_at_work import CHOICE, Site, open_site

from core.database import Database
from issues.text import has_hangul

FRIEND, STRANGER = "https://friend.example", "https://stranger.example"
LIMIT = 64 * 1024
JSON = {"email": "minji@example.com", **CHOICE}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, 403),
        ({"Origin": STRANGER}, 403),
        ({"Origin": "http://[x"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 303),
        ({"Origin": "null"}, 303),
        ({}, 303),
    ],
)
def test_a_form_of_another_site_is_refused_and_changes_nothing(
    still_site: Site, headers: dict[str, str], status: int
) -> None:
    before = still_site.rows(but=("attempts",))
    answer = still_site.client.post("/subscribe", data={"email": "x@example.com", **CHOICE}, headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert still_site.rows(but=("attempts",)) == before


def test_other_sites_scripts_reach_the_json_interface_only_from_the_origins_set(
    sample_database: Database, tmp_path: Path
) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    with open_site(sample_database, tmp_path, api_origins=FRIEND) as site:
        for origin, allowed in ((FRIEND, FRIEND), (STRANGER, None)):
            headers = {"Origin": origin}
            preflight = site.client.options("/api/subscribers", headers=headers | asked)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            answer = site.client.post("/api/subscribers", json=JSON, headers=headers)
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/subscribe", "/api/subscribers", "/u/x"])
def test_a_body_over_64_kb_is_refused_whether_or_not_it_says_so(still_site: Site, path: str) -> None:
    def piecemeal() -> Iterator[bytes]:
        for _ in range(LIMIT // 1024 + 1):
            yield b"x" * 1024

    kind = "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
    answer = still_site.client.post(path, content=piecemeal(), headers={"Content-Type": kind})
    assert (answer.status_code, answer.text) == (413, "too large\n")
    with closing(HTTPConnection(urlsplit(still_site.url).netloc)) as connection:
        connection.putrequest("POST", path)
        connection.putheader("Content-Length", f"{LIMIT + 1}")
        connection.endheaders()  # refused before any of the body is sent
        assert connection.getresponse().status == 413


def test_every_answer_carries_its_guard_and_pages_with_tokens_are_kept_by_nobody(still_site: Site) -> None:
    address = still_site.add("headers@example.com")
    links = [still_site.link(what, address) for what in ("confirm", "move", "preferences", "unsubscribe")]
    old = still_site.link("preferences", address, days_ago=40)
    private = [*links, old, f"{links[2]}/data.json", "/sent", "/p/wrong"]
    for path in [*private, "/", "/archive", "/archive.atom", "/style.css", "/nothing", "/api/openapi.json"]:
        headers = still_site.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("no-referrer", "nosniff")
        assert "set-cookie" not in headers
        assert ("no-store" in headers.get("cache-control", "")) == (path in private)
        assert ("noindex" in headers.get("x-robots-tag", "")) == (path in private)


def test_whoever_fills_the_trap_sees_the_usual_answer_and_nothing_is_kept(still_site: Site) -> None:
    before = still_site.rows()
    answer = still_site.sign_up("robot@example.com", website="https://spam.example")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sent")
    still_site.settle()
    assert still_site.rows() == before


WILD = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        ["a\x00@example.com", "x" * 5000, "minji@example.com\r\nBcc: a@b.c", "<script>", "{0}", "%s"]
    ),
)
FORMS = (
    "/subscribe",
    "/p/{p}/save",
    "/p/{p}/pause",
    "/p/{p}/move",
    "/p/{p}/forget",
    "/p/x/fresh",
    "/c/x",
    "/m/x",
)
FIELDS = ("email", "language", "frequency", "until", "website")


@settings(max_examples=120)
@given(
    form=st.sampled_from(FORMS),
    fields=st.dictionaries(st.sampled_from(FIELDS), WILD),
    as_file=st.booleans(),
    language=st.sampled_from(["ko", "en"]),
)
def test_a_form_with_anything_in_it_is_answered_with_one_clear_message_in_the_readers_language(
    still_site: Site, form: str, fields: dict[str, str], as_file: bool, language: str
) -> None:
    token = _token(still_site)
    raw = {name: text.encode("utf-8", "surrogatepass") for name, text in fields.items()}
    body = {"files": {name: (name, text) for name, text in raw.items()}} if as_file and raw else {"data": raw}
    answer = still_site.client.post(f"{form.replace('{p}', token)}?lang={language}", **body)  # type: ignore[arg-type]
    assert answer.status_code in {303, 400, 404}
    if answer.status_code != 303:
        assert answer.headers["content-language"] == language
        assert answer.text.count('class="fault"') + answer.text.count("<h1>") in {1, 2}
        heading = answer.text.partition("<h1>")[2].partition("</h1>")[0]
        assert has_hangul(heading) == (language == "ko")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data; boundary=y", b"--x"),
        ("multipart/form-data", b"--x"),
        ("application/json", b"{"),
        ("application/x-www-form-urlencoded", b"%ff=%ff&email=%ff"),
    ],
)
def test_a_body_that_is_no_form_is_told_of_in_the_readers_language(
    still_site: Site, kind: str, body: bytes
) -> None:
    answer = still_site.client.post(
        "/subscribe", content=body, headers={"Content-Type": kind, "Accept-Language": "en-GB"}
    )
    assert (answer.status_code, answer.headers["content-language"]) == (400, "en")


@pytest.mark.parametrize("path", ["abc", "1?text=fr", "0", "-1", "9" * 30, "1%00", "٣"])
def test_an_issue_that_nobody_can_have_is_a_page_not_found(still_site: Site, path: str) -> None:
    answer = still_site.client.get(f"/archive/{path}", headers={"Accept-Language": "en"})
    assert (answer.status_code, "Page not found" in answer.text) == (404, True)


def test_no_line_of_the_log_names_a_reader(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # the test's own client
    site.server.on_rcpt = lambda address: (
        "550 5.1.1 <bad.reader@example.com> unknown" if "bad" in address else None
    )
    site.sign_up("bad.reader@example.com")
    site.settle()
    site.sign_up("good.reader@example.com")
    site.mail("good.reader@example.com")
    settings_link = site.link("preferences", "good.reader@example.com")
    site.client.post(f"{settings_link}/move", data={"email": "other.reader@"})
    site.sign_up("wrong.reader@")
    site.client.post("/api/subscribers", json={**JSON, "email": "wrong.reader@"})
    assert "reader@" not in caplog.text


def _token(site: Site) -> str:
    address = "fuzz@example.com"
    try:
        return site.link("preferences", address).rpartition("/")[2]
    except AssertionError:  # the fuzz has erased or moved the reader
        return site.link("preferences", site.add(address)).rpartition("/")[2]
