"""Likes and other reactions to a post do not count as edits."""

from datetime import UTC, datetime, timedelta

import pytest

from core.database import Database
from mailings.intake import ingest
from paperboy.demo.sample.data import weeks
from paperboy.demo.sample.forum import Forum, ForumPage, Redirect
from tests.support.factories import INTAKE_RULES

NOW = datetime(2026, 3, 9, 0, 0, tzinfo=UTC)


def test_likes_change_nothing(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    newest, real = weeks()[-1], Forum.find
    before = f'"like_count": {newest.likes},'.encode()

    def find(self: Forum, path: str) -> ForumPage | Redirect | None:
        page = real(self, path)
        if not (isinstance(page, ForumPage) and path.endswith(f"{newest.topic_id}.json")):
            return page
        assert before in page.body
        liked = page.body.replace(before, b'"like_count": 4321,')
        return page._replace(body=liked.replace(f'"count": {newest.likes}}}'.encode(), b'"count": 4321}'))

    with Forum() as forum:
        topic = f"{forum.origin}/t/{newest.slug}/{newest.topic_id}"
        ingest(sqlite_database.sessions, feed_url=None, topic_urls=(topic,), rules=INTAKE_RULES, now=NOW)
        monkeypatch.setattr(Forum, "find", find)
        later = NOW + timedelta(days=2)
        again = ingest(
            sqlite_database.sessions, feed_url=None, topic_urls=(topic,), rules=INTAKE_RULES, now=later
        )
    assert [entry["topic_id"] for entry in again.unchanged] == [newest.topic_id]
    assert again.changed == []
