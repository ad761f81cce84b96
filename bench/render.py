"""Measures how the time to render an edition grows with its papers.

Run it with `python -m bench.render`. Each line shows the median of seven runs for one number of papers: the whole,
then its parts, which are the HTML (Jinja, MJML, premailer), choosing the blocks that fit, and the text. The last
column compares the whole with that of ten papers.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from bench.processes import show
from emails.edition import Edition
from emails.rendering.digest_view import digest_view
from emails.rendering.fit import BlockRef, fit
from emails.rendering.html import render_html
from emails.rendering.plaintext import digest_text
from emails.rendering.render import MAX_HTML_BYTES
from emails.rendering.size import HtmlSize
from tests.support.factories import IDENTITY, blocks, edition_of, issue_of, paper, rendered

KOREAN = "이 논문은 작은 모델이 오래 기억하도록 돕는 방법을 제안합니다. "
ENGLISH = "We propose a method that lets a small model remember for longer. "
PAPERS = (1, 5, 10, 20, 40)
BASE_PAPERS = 10


class Timings(NamedTuple):
    """The number of blocks of an edition, and how many milliseconds rendering it and the parts of that take."""

    blocks: int
    whole: float
    html: float
    fit: float
    text: float


def weekly_edition(papers: int) -> Edition:
    """A weekly edition in both languages, whose papers are as long as those of the forum."""
    contents = [
        paper(
            number,
            intro_ko=blocks(KOREAN * 8),
            abstract_ko=blocks(KOREAN * 10, KOREAN * 6),
            abstract_en=blocks(ENGLISH * 18),
        )
        for number in range(1, papers + 1)
    ]
    return edition_of(issue_of(contents), language="both")


def median_milliseconds(work: Callable[[], object], runs: int) -> float:
    """The median time of the work."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def measure(papers: int, runs: int) -> Timings:
    """Render an edition with this many papers, several times."""
    edition = weekly_edition(papers)
    view = digest_view(edition, IDENTITY)
    sizes = {
        BlockRef(part, block): HtmlSize(1000, 2500)
        for part, text in enumerate(edition.parts)
        for block in range(len(text.blocks))
    }
    notes = HtmlSize(200, 300)
    frame = HtmlSize(9000, 12000)
    shown = [len(part.blocks) for part in edition.parts]
    return Timings(
        blocks=len(sizes),
        whole=median_milliseconds(lambda: rendered(edition), runs),
        html=median_milliseconds(lambda: render_html("digest.mjml", view), runs),
        fit=median_milliseconds(lambda: fit(edition.parts, frame, sizes, notes, MAX_HTML_BYTES), runs),
        text=median_milliseconds(lambda: digest_text(view, shown), runs),
    )


def main() -> None:
    """Print a line for each number of papers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    rendered(weekly_edition(1))  # the first call loads premailer and the templates
    base = measure(BASE_PAPERS, runs).whole
    show(f"papers  blocks   whole ms    html ms     fit ms    text ms   whole / {BASE_PAPERS} papers")
    for papers in PAPERS:
        timings = measure(papers, runs)
        show(
            f"{papers:>6}  {timings.blocks:>6}  {timings.whole:>9.1f}  {timings.html:>9.1f}  {timings.fit:>9.2f}  "
            f"{timings.text:>9.1f}   {timings.whole / base:>6.2f}"
        )


if __name__ == "__main__":
    main()
