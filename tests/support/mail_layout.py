"""Where the parts of a mail stand on a phone's screen, in pixels from its top."""

from collections.abc import Sequence
from typing import NamedTuple

from playwright.sync_api import Page

PHONE_WIDTH = 375
_LAYOUT = """(gists) => {
    const paragraphs = [...document.querySelectorAll("p")].filter((node) => gists.includes(node.textContent.trim()));
    const boxes = paragraphs.slice(0, gists.length).map((node) => node.getBoundingClientRect());
    return [boxes.length, boxes[0]?.top ?? 0, boxes.at(-1)?.bottom ?? 0, document.documentElement.scrollHeight];
}"""


class MailLayout(NamedTuple):
    """How many gists the list of a mail shows, where the first begins and the last ends, and how long the whole mail is."""

    gists: int
    first_gist: int
    last_gist_end: int
    whole: int


def layout_of(page: Page, html: str, gists: Sequence[str]) -> MailLayout:
    """The layout of a mail that shows these gists."""
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 800})
    page.set_content(html)
    return MailLayout(*(round(value) for value in page.evaluate(_LAYOUT, list(gists))))
