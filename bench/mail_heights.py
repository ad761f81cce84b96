"""Prints how long the mails of weekly posts are on a phone, 375 pixels wide, and where their gists stand.

Run it with `python -m bench.mail_heights [HTML TITLE]...`, where HTML is a file with a post's HTML and TITLE the
topic's title; without any, it takes the sample posts. The targets are those of a mail that gives the week in two
minutes: the first gist above 320 pixels, all gists of ten papers above 3,200, and a brief weekly mail of at most
6,000, or 8,000 in both languages.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from playwright.sync_api import sync_playwright

from bench.processes import show
from core.details import Detail
from core.frequencies import Frequency
from core.languages import Language
from emails.choose import editions_of_issue
from emails.edition import Edition
from emails.message import PREVIEW_RECIPIENT, personalized
from issues.arrivals import Arrival
from issues.gist import with_gists
from issues.parse.content import IssueContent
from issues.parse.post import parse
from issues.store import read_post
from tests.support.all_mails import sample_posts
from tests.support.factories import IDENTITY, NOW, arrivals_of, digest_spec, rendered
from tests.support.mail_layout import layout_of
from tests.support.programs import CHROMIUM_SWITCHES, program


def contents(arguments: Sequence[str]) -> Iterator[IssueContent]:
    """The posts that the arguments name, or the sample posts."""
    for file, title in zip(arguments[::2], arguments[1::2], strict=True):
        html = Path(file).read_text(encoding="utf-8")
        yield with_gists(parse(title, html, "https://forum.example/t/1"))
    if not arguments:
        yield from (read_post(post) for post in sample_posts())


def editions(papers: Sequence[Arrival]) -> Iterator[tuple[str, Edition]]:
    """The weekly mails of an issue, and its first daily ones."""
    for language, frequency, detail in product(Language, Frequency, Detail):
        spec = digest_spec(language, frequency, detail)
        first = editions_of_issue(papers, spec, daily_papers=2)[0]
        yield f"{first.issues[0].week.start} {language:<4} {frequency:<6} {detail:<5}", first


def main() -> None:
    """Print a line for each mail."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("posts", nargs="*", metavar="HTML TITLE")
    posts = parser.parse_args().posts
    show(f"{'mail':<29}  papers  gists  first gist at  last gist ends  whole mail")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=CHROMIUM_SWITCHES)
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        for content in contents(posts):
            for name, edition in editions(arrivals_of(content)):
                gists = [gist.text for paper in edition.papers for gist in paper.gists]
                mail = rendered(edition).content
                html, _ = personalized(edition.spec, mail, PREVIEW_RECIPIENT, IDENTITY, NOW)
                found = layout_of(page, html, gists)
                show(
                    f"{name:<29}  {len(edition.papers):>6}  {found.gists:>5}  {found.first_gist:>13}  "
                    f"{found.last_gist_end:>14}  {found.whole:>10}"
                )
        browser.close()


if __name__ == "__main__":
    main()
