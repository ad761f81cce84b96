"""How the time to render and fit an edition grows with its papers; run it with `PYTHONPATH=tests`.

Prints the median of five runs for each number of papers, and the ratio to ten papers.
"""

import statistics
import sys
import time
from datetime import date

from making import blocks, edition_of, issue_of, paper, rendered

SENTENCE = "이 논문은 작은 모델이 오래 기억하도록 돕는 방법을 제안합니다. "
COUNTS = (1, 5, 10, 20, 25)


def seconds(count: int) -> float:
    """The median time of rendering one edition in both languages with `count` papers."""
    text = blocks(SENTENCE * 4, SENTENCE * 6)
    papers = [
        paper(n, intro_ko=text, abstract_ko=text, abstract_en=blocks("A sentence. " * 40))
        for n in range(1, count + 1)
    ]
    edition = edition_of(issue_of(papers, start=date(2025, 7, 28)), language="both")
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        rendered(edition)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    """Print a line for each number of papers."""
    seconds(1)  # the first call loads premailer and the templates
    ten = seconds(10)
    for count in COUNTS:
        taken = seconds(count)
        sys.stdout.write(f"{count:>3} papers  {taken * 1000:7.1f} ms  {taken / ten:5.2f} x ten papers\n")


if __name__ == "__main__":
    main()
