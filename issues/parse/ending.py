"""Where the papers of a post end and its own ending begins."""

from collections.abc import Sequence

from issues.parse.boilerplate import is_closing
from issues.parse.labels import PAPER_LABELS
from issues.parse.outline import Item


def end_of_papers(items: Sequence[Item], starts: Sequence[int]) -> int:
    """Where the last paper ends: at 원문, at a closing text, or at the last rule before them."""
    if not starts:
        return len(items)
    last = max(
        (index for index in range(starts[-1], len(items)) if _continues_paper(items[index])),
        default=starts[-1],
    )
    end = next(
        (i for i in range(last + 1, len(items)) if items[i].label == "source" or is_closing(items[i])),
        len(items),
    )
    rules = [index for index in range(last + 1, end) if items[index].kind == "rule"]
    return rules[-1] if rules else end


def _continues_paper(item: Item) -> bool:
    return item.label in PAPER_LABELS or (item.kind == "heading" and not item.label)
