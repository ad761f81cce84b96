"""Every mail of every post is sent over SMTP and checked as it arrives."""

import importlib.util
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.database import Database
from core.languages import Language
from emails.rendering.i18n import translate
from emails.rendering.render import MAX_HTML_BYTES
from issues.parse.text import has_hangul
from issues.queries import all_issues, papers_in_issue
from mailings import intake
from monitoring.previews import issue_previews
from paperboy.demo.sample.forum import Forum
from tests.support.factories import IDENTITY, INTAKE_RULES, send_messages
from tests.support.servers.smtp import ScriptedServer

NOW = datetime(2026, 3, 14, tzinfo=UTC)


class _Page(HTMLParser):
    """The links and the visible texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture
def shared_feed(shared_forum: Path) -> Iterator[str]:
    """The feed of the shared forum of CI."""
    spec = importlib.util.spec_from_file_location("serve", shared_forum / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Server(0, shared_forum / "site", quiet=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{server.origin}/c/news/14.rss"
    server.shutdown()
    server.server_close()


def _received_mails(database: Database, feed_url: str, posts: int) -> list[tuple[str, EmailMessage]]:
    """Each mail of each issue with its language, as a mail server received it."""
    intake.ingest(database.sessions, feed_url=feed_url, rules=INTAKE_RULES, now=NOW)
    with database.sessions() as session:
        issues = [papers_in_issue(issue) for issue in all_issues(session)]
    assert len(issues) == posts
    previews = [mail for papers in issues for mail in issue_previews(papers, IDENTITY, NOW, daily_papers=2)]
    with ScriptedServer() as server:
        send_messages(server, (mail.message for mail in previews))
        received = [message_from_bytes(message.data, policy=policy.default) for message in server.messages]
    languages = [mail.name.split("-day-")[0].rpartition("-")[2] for mail in previews]
    return list(zip(languages, received, strict=True))


def _parts(mail: EmailMessage) -> tuple[EmailMessage, str, str]:
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    assert isinstance(html, EmailMessage)
    assert isinstance(text, EmailMessage)
    return html, html.get_content(), text.get_content()


def _check(language: str, mail: EmailMessage) -> None:
    part, html, text = _parts(mail)
    assert len(html.encode()) <= MAX_HTML_BYTES
    assert len(part.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n")) <= MAX_HTML_BYTES
    page = _Page()
    page.feed(html)
    missing = [link for link in page.links if link not in text]
    assert not missing, f"{missing} are only in the HTML"
    if language == "en":
        korean = {word for word in page.texts if has_hangul(word)} | {
            line.partition(": https://")[0] for line in text.splitlines() if has_hangul(line)
        }
        assert korean <= {translate(Language.KO, "choose_language")}
    assert "**" not in re.sub(r"<code.*?</code>", "", html)


def _check_all(database: Database, feed_url: str, posts: int) -> None:
    for language, mail in _received_mails(database, feed_url, posts):
        _check(language, mail)


def test_every_mail_of_the_sample_posts_is_complete_and_safe(sqlite_database: Database) -> None:
    with Forum() as forum:
        _check_all(sqlite_database, forum.feed_url, posts=3)


def test_every_mail_of_the_shared_posts_is_complete_and_safe(
    sqlite_database: Database, shared_feed: str
) -> None:
    _check_all(sqlite_database, shared_feed, posts=4)
