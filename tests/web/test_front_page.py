"""The front page shows what one gets before anybody signs up; the privacy page says what the settings say."""

from datetime import timedelta
from pathlib import Path

from core.database import Database
from tests.support.site import Site, open_site


def test_the_front_page_has_the_gists_of_the_latest_issue_its_numbers_and_the_next_digest(
    sample_site: Site,
) -> None:
    site = sample_site
    local = site.settings.local(site.clock())
    monday = local + timedelta(days=(7 - local.weekday()) % 7 or (7 if local.hour >= 8 else 0))
    korean, english = (site.client.get(f"/?lang={language}").text for language in ("ko", "en"))
    assert f"{monday.month}월 {monday.day}일 08:00(Asia/Seoul)" in korean
    assert "3 issues with" in english
    assert "The next weekly digest goes out on" in english
    assert korean.count("<li value=") == english.count("<li value=") == 5
    assert english.partition("<li value=")[2].count("<br>") >= 4, "papers have their gists"


def test_the_privacy_page_names_who_is_responsible_and_who_else_processes_addresses(
    sample_database: Database, tmp_path: Path
) -> None:
    with open_site(
        sample_database,
        tmp_path,
        contact="editors@example.org",
        postal_address="1 Forum Street, Seoul",
        processors="Relay Ltd, Ireland: sends the mails; Host Inc, Korea: runs the server",
    ) as site:
        for language in ("ko", "en"):
            page = site.client.get(f"/privacy?lang={language}").text
            for fact in (
                "editors@example.org",
                "1 Forum Street, Seoul",
                "<li>Relay Ltd, Ireland: sends the mails</li>",
            ):
                assert fact in page
        assert "/privacy?lang=en" in site.client.get("/?lang=en").text


def test_help_answers_why_nothing_came_what_is_wrong_and_how_to_leave(site: Site) -> None:
    for language, words in (("ko", "메일이 오지 않아요"), ("en", "I want to leave")):
        assert words in site.client.get(f"/help?lang={language}").text
    assert "/help" in site.client.get("/").text
