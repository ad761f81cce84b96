"""The form of the reference, pasted into a page of another site, signs a reader up."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from core.database import Database
from core.languages import Language
from tests.support.site import open_site

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json-interface.md"
ADDRESS = "minji@example.com"


@contextmanager
def other_site(folder: Path) -> Iterator[str]:
    """A site of its own that serves the files of a folder. Gives its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder))
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("allowed", [True, False])
def test_the_form_of_the_reference_signs_up_from_an_allowed_site_only(
    browser: Browser, sample_database: Database, tmp_path: Path, allowed: bool
) -> None:
    (form,) = re.findall(r"(?s)```html\n(.*?)```", PAGE.read_text("utf-8"))
    folder = tmp_path / "forum"
    folder.mkdir()
    with (
        other_site(folder) as origin,
        open_site(
            sample_database, tmp_path, api_origins=origin if allowed else "https://other.example"
        ) as site,
    ):
        text = f"<!doctype html><meta charset=utf-8>{form}".replace("https://news.example.org", site.url)
        (folder / "index.html").write_text(text, "utf-8")
        page = browser.new_page()
        page.goto(origin)
        page.fill("[name=email]", ADDRESS)
        page.select_option("[name=language]", "both")
        page.click("button")
        saying = "a mail asks you to confirm" if allowed else "Please try again later."
        expect(page.locator("output")).to_contain_text(saying)
        page.close()
        if allowed:
            assert site.mail(ADDRESS)
            assert site.subscriber(ADDRESS).language == Language.BOTH
        assert bool(site.mails(ADDRESS)) == allowed
