"""How the time to render and fit an edition grows with its papers; run it with `PYTHONPATH=tests`.

Prints the median of seven runs for each number of papers: the whole, and in it the HTML (Jinja,
MJML, premailer), the fitting alone, and the text; and the ratio of the whole to ten papers.
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import date

from emails.edition import Edition
from emails.message import longest_placeholders
from emails.rendering.digest_view import digest_view
from emails.rendering.fit import BlockRef, fit
from emails.rendering.html import render_html
from emails.rendering.plaintext import digest_text
from emails.rendering.render import MAX_HTML_BYTES, render
from emails.rendering.size import HtmlSize
from tests.support.factories import IDENTITY, blocks, edition_of, issue_of, paper

KOREAN = "이 논문은 작은 모델이 오래 기억하도록 돕는 방법을 제안합니다. "
ENGLISH = "We propose a method that lets a small model remember for longer. "
COUNTS = (1, 5, 10, 20, 40)
RUNS = 7


def edition(count: int) -> Edition:
    """A weekly edition in both languages, its papers as long as those of the forum."""
    papers = [
        paper(
            number,
            intro_ko=blocks(KOREAN * 8),
            abstract_ko=blocks(KOREAN * 10, KOREAN * 6),
            abstract_en=blocks(ENGLISH * 18),
        )
        for number in range(1, count + 1)
    ]
    return edition_of(issue_of(papers, start=date(2025, 7, 28)), language="both")


def milliseconds(work: Callable[[], object]) -> float:
    """The median time of the work."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1000


def timings(count: int) -> tuple[float, float, float, float, int]:
    """Whole, HTML, fitting and text in milliseconds, and how many blocks there are to fit."""
    made = edition(count)
    page = digest_view(made, IDENTITY.archive)
    sizes = {
        BlockRef(part, block): HtmlSize(1000, 2500)
        for part, text in enumerate(made.parts)
        for block in range(len(text.blocks))
    }
    notes = [HtmlSize(200, 300)] * len(made.units)
    shown = [len(part.blocks) for part in made.parts]
    return (
        milliseconds(
            lambda: render(
                made, archive=IDENTITY.archive, longest_placeholders=longest_placeholders(IDENTITY)
            )
        ),
        milliseconds(lambda: render_html("digest.mjml", page)),
        milliseconds(lambda: fit(made.units, HtmlSize(9000, 12000), sizes, notes, MAX_HTML_BYTES)),
        milliseconds(lambda: digest_text(page, shown)),
        len(sizes),
    )


def main() -> None:
    """Print a line for each number of papers."""
    render(
        edition(1), archive=IDENTITY.archive, longest_placeholders=longest_placeholders(IDENTITY)
    )  # the first call loads premailer and the templates
    ten = timings(10)[0]
    sys.stdout.write("papers  blocks   whole ms    html ms     fit ms    text ms   whole / ten papers\n")
    for count in COUNTS:
        whole, html, fitting, text, pieces = timings(count)
        sys.stdout.write(
            f"{count:>6}  {pieces:>6}  {whole:>9.1f}  {html:>9.1f}  {fitting:>9.2f}  {text:>9.1f}   {whole / ten:>6.2f}\n"
        )


if __name__ == "__main__":
    main()
