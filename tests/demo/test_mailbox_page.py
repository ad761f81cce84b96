"""The mailbox page shows every mail, and no mail can do harm there."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser

from delivery.transport.mailbox import keys, mailbox_server
from paperboy.demo.mailbox_page import MAILS_PER_PAGE, serve_mailbox

RECIPIENT = "subscriber@example.com"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "mailbox"


@pytest.fixture
def page(folder: Path) -> Iterator[httpx.Client]:
    with serve_mailbox(folder, 0) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def deliver(
    folder: Path, *subjects: str, html: str = "<p>주간 논문</p>", to: str = RECIPIENT, date: str = ""
) -> None:
    with mailbox_server(folder) as port, smtplib.SMTP("127.0.0.1", port) as client:
        for subject in subjects:
            mail = EmailMessage()
            mail["Subject"] = subject
            mail["From"] = "news@example.com"
            mail["To"] = to
            if date:
                mail["Date"] = date
            mail.set_content("The text part")
            mail.add_alternative(html, subtype="html")
            client.send_message(mail)


def subjects_on(html: str) -> list[str]:
    return [node.text() for node in LexborHTMLParser(html).css(".list b")]


def test_the_page_lists_all_mails_newest_first(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "이번 주의 논문", "Confirm your subscription")
    html = page.get("/").raise_for_status().text
    assert subjects_on(html) == ["Confirm your subscription", "이번 주의 논문"]
    assert RECIPIENT in html


def test_older_mails_are_on_the_next_page(folder: Path, page: httpx.Client) -> None:
    deliver(folder, *(str(number) for number in range(MAILS_PER_PAGE + 1)))
    older = LexborHTMLParser(page.get("/").text).css_first(".pages a")
    assert older is not None
    assert subjects_on(page.get(str(older.attributes["href"])).text) == ["0"]


def test_an_empty_mailbox_has_a_page_that_says_so(page: httpx.Client) -> None:
    assert "No mail here" in page.get("/").raise_for_status().text


def test_the_html_of_a_mail_cannot_run_scripts(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Harm", html="<script>alert(1)</script>")
    frame = LexborHTMLParser(page.get("/").text).css_first("iframe")
    assert frame is not None
    assert "allow-scripts" not in str(frame.attributes["sandbox"])
    assert "allow-same-origin" not in str(frame.attributes["sandbox"])
    policy = page.get(str(frame.attributes["src"])).raise_for_status().headers["Content-Security-Policy"]
    directives = {name: values for name, *values in (part.split() for part in policy.split(";"))}
    assert directives["default-src"] == ["'none'"]
    assert "script-src" not in directives
    assert "allow-scripts" not in directives["sandbox"]


def test_a_mail_loads_no_image_from_the_network(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Pixel", html='<img src="https://tracker.example.com/1.gif">')
    policy = page.get("/html", params={"mail": keys(folder)[0]}).headers["Content-Security-Policy"]
    assert "img-src data:;" in policy


def test_markup_in_a_subject_is_shown_as_text(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "<script>alert(1)</script>")
    html = page.get("/").text
    assert "<script" not in html
    assert subjects_on(html) == ["<script>alert(1)</script>"]


@pytest.mark.parametrize("view", ["text", "source"])
def test_markup_in_a_body_is_shown_as_text(view: str, folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Hello", html="</pre><script>alert(1)</script>")
    html = page.get("/", params={"view": view}).raise_for_status().text
    assert "The text part" in html
    assert "<script" not in html


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "localhost@evil", ""])
def test_a_foreign_host_header_is_refused(host: str, folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Secret")
    for path in ("/", f"/html?mail={keys(folder)[0]}"):
        response = page.get(path, headers={"Host": host})
        assert response.status_code == 421
        assert "Secret" not in response.text


@pytest.mark.parametrize("path", ["/", "/html"])
@pytest.mark.parametrize("key", ["unknown", "../../secret", "..\\secret", "/etc/passwd"])
def test_no_file_outside_the_mailbox_can_be_requested(path: str, key: str, page: httpx.Client) -> None:
    assert page.get(path, params={"mail": key}).status_code == 404


def test_viewing_a_mail_changes_nothing_on_disk(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Hello")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    page.get("/", params={"mail": keys(folder)[0], "view": "source"}).raise_for_status()
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_the_page_opens_with_the_newest_mail_to_the_reader_who_is_shown_first(folder: Path) -> None:
    deliver(folder, "Old", "Newest for her", to="seoyeon@example.com")
    deliver(folder, "Newest of all")
    with serve_mailbox(folder, 0, shown_first="seoyeon@example.com") as url:
        html = httpx.get(url, trust_env=False).text
    heading = LexborHTMLParser(html).css_first(".about h2")
    assert heading is not None
    assert heading.text() == "Newest for her"


def test_a_click_on_a_reader_shows_only_her_mails(folder: Path, page: httpx.Client) -> None:
    deliver(folder, "Hers", to="seoyeon@example.com")
    deliver(folder, "His", to="daniel@example.com")
    links = {
        node.text(): node.attributes["href"]
        for node in LexborHTMLParser(page.get("/").text).css(".readers a")
    }
    assert subjects_on(page.get(str(links["seoyeon"])).text) == ["Hers"]
    assert subjects_on(page.get(str(links["everyone"])).text) == ["His", "Hers"]


def test_times_are_those_of_the_zone(folder: Path) -> None:
    deliver(folder, "Monday", date="Sun, 08 Mar 2026 23:00:00 +0000")
    with serve_mailbox(folder, 0, ZoneInfo("Asia/Seoul")) as url:
        html = httpx.get(url, trust_env=False).text
    assert "09 Mar 08:00" in html
