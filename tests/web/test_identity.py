"""Another forum's operator sets names and addresses, and every page and mail has them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from core.languages import TextLanguage
from core.settings import Settings
from mailings.context import public_identity
from tests.support.site import Site, open_site, path_in
from tests.web.conftest import sample_database, sample_file

__all__ = ["sample_database", "sample_file"]

ADDRESS = "minji@example.com"
TODAYS_NAMES = re.compile(r"Paperboy|파이토치|PyTorch")


@pytest.fixture
def lighthouse(sample_database: Database, tmp_path: Path) -> Iterator[Site]:
    """The running pages of another forum."""
    with open_site(
        sample_database,
        tmp_path,
        name="등대지기",
        forum_name="등대 모임 / the Lighthouse Society",
        contact="hello@lighthouse.example",
        postal_address="1 Harbour Road, Busan",
        reply_to="editors@lighthouse.example",
        sender="등대지기 <news@lighthouse.example>",
    ) as site:
        yield site


def identity_of(forum_name: str) -> dict[TextLanguage, str]:
    settings = Settings(_env_file=None, forum_name=forum_name)  # type: ignore[call-arg]
    return dict(public_identity(settings).forum_names)


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_the_pages_have_the_names_and_addresses_of_the_settings(lighthouse: Site, lang: str) -> None:
    forum = {"ko": "등대 모임", "en": "the Lighthouse Society"}[lang]
    for path in ("/", "/archive", "/sent", "/nowhere"):
        page = lighthouse.client.get(f"{path}?lang={lang}").text
        assert not TODAYS_NAMES.search(page), path
        assert page.count(forum) == 2, "in the tagline and in the footer"
        assert "등대지기</a>" in page
        assert 'href="mailto:hello@lighthouse.example"' in page
        assert "1 Harbour Road, Busan" in page


def test_the_feed_has_the_names_of_the_settings(lighthouse: Site) -> None:
    feed = lighthouse.client.get("/archive.atom").text
    head = feed.partition("<entry>")[0]
    assert not TODAYS_NAMES.search(head)
    assert ("<title>등대지기</title>" in head, "등대 모임" in head) == (True, True)


def test_the_headers_of_mails_have_the_names_and_addresses_of_the_settings(lighthouse: Site) -> None:
    lighthouse.sign_up(ADDRESS)
    confirmation = lighthouse.mail(ADDRESS)
    lighthouse.client.post(path_in(confirmation, "c"))
    welcome = lighthouse.mail(ADDRESS, 2)
    for mail in (confirmation, welcome):
        assert str(mail["Reply-To"]) == "editors@lighthouse.example"
        assert str(mail["From"]) == "등대지기 <news@lighthouse.example>"
    assert str(welcome["List-Id"]) == "등대지기 <paperboy.lighthouse.example>"
    assert str(welcome["List-Owner"]) == "<mailto:hello@lighthouse.example>"


def test_the_name_of_a_forum_in_one_language_serves_both() -> None:
    assert identity_of("등대 모임 / the Lighthouse Society") == {
        "ko": "등대 모임",
        "en": "the Lighthouse Society",
    }
    assert identity_of("등대 모임") == {"ko": "등대 모임", "en": "등대 모임"}
    assert identity_of("The Lighthouse") == {"ko": "The Lighthouse", "en": "The Lighthouse"}
