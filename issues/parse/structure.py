"""Where the papers of a post begin and end, and where its structure leaves a doubt.

The labels inside a post (`논문 소개`, …) guide, not the levels of headings or rules. A heading opens a paper if labels
follow that the paper before it has had, or if what follows looks like a paper. What cannot be told is a doubt.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from issues.parse.boilerplate import is_greeting
from issues.parse.ending import end_of_papers
from issues.parse.labels import CORE_LABELS, PAPER_LABELS, Label
from issues.parse.outline import Item
from issues.parse.positions import LabelIndex, next_of
from issues.parse.signs import (
    MAX_TITLE_CHARACTERS,
    MIN_SIGNS_OF_PAPER,
    count_signs,
    has_address_of_paper,
    has_two_titles,
    hidden_title,
    is_bold,
    is_swallowed,
    may_be_paper,
)
from issues.parse.text import strip_emoji
from issues.parse.titles import title_key

MIN_SIGNS_OF_HIDDEN_PAPER = 3
MAX_QUOTED_CHARACTERS = 60


@dataclass(frozen=True)
class Structure:
    """The indices at which papers begin, and where they end; `closing` is the first item of what follows them.

    `doubts` says, each with its place, what cannot be told.
    """

    starts: tuple[int, ...]
    end: int
    doubts: tuple[str, ...]


@dataclass
class _Paper:
    """The paper that the walk is in: where it begins, its title, and which labels it has had."""

    start: int
    name: str
    labels: set[Label] = field(default_factory=set)


def read_structure(items: Sequence[Item], title: str) -> Structure:
    """The structure of a post with these items and this title."""
    walk = _Walk(items, title)
    walk.run()
    end = walk.closing if walk.closing is not None else end_of_papers(items, walk.starts)
    return Structure(tuple(walk.starts), end, tuple(walk.doubts))


class _Walk:
    """A walk through the items that finds each paper's beginning."""

    def __init__(self, items: Sequence[Item], title: str) -> None:
        self._items = items
        key = title_key(title)
        self._is_boilerplate = [is_greeting(item, key) for item in items]
        self._headings = {index for index in range(len(items)) if self._is_unknown_heading(index)}
        self._keys = {title_key(items[index].text) for index in self._headings}
        # For each level and position, the next heading of this level or a higher one.
        self._next = {
            level: next_of({index for index in self._headings if items[index].level <= level}, len(items))
            for level in range(1, 7)
        }
        self._labels_between = LabelIndex(items)
        self._signs: dict[int, int] = {}
        self._paper_level = 0
        self._has_labels = any(item.label in CORE_LABELS for item in items)
        self._paper_level = self._find_paper_level()
        self._last_paper = self._find_last_paper()
        self._paper: _Paper | None = None
        self._has_told_doubt = False
        self.starts: list[int] = []
        self.doubts: list[str] = []
        self.closing: int | None = None

    def run(self) -> None:
        """Visit every heading and every label in order."""
        for index, item in enumerate(self._items):
            if self.closing is not None:
                return
            if index in self._headings:
                self._has_told_doubt = False
                self._visit_heading(index)
            elif item.label:
                self._visit_label(index, item.label)
            elif item.kind == "block" and self._hides_paper(index):
                self._doubt(index, "may be the title of a paper")
            elif item.kind == "block" and is_swallowed(item):
                self._doubt(index, "is code that holds the labels of a paper")

    # --- headings -------------------------------------------------------------------

    def _is_unknown_heading(self, index: int) -> bool:
        item = self._items[index]
        return item.kind == "heading" and not item.label and not self._is_boilerplate[index]

    def _find_paper_level(self) -> int:
        """The level of most headings that labels follow directly; without labels, of those that look like papers."""
        levels = Counter(
            self._items[index].level for index in self._headings if self._labels(index) & CORE_LABELS
        )
        if not levels:
            levels = Counter(
                self._items[index].level for index in self._headings if self._looks_like_paper(index)
            )
        return min(levels, key=lambda level: (-levels[level], level), default=0)

    def _labels(self, index: int) -> set[Label]:
        """The labels between an item and the next heading that is none."""
        return self._labels_between(index, self._next[6][index])

    def _end_of_section(self, index: int) -> int:
        """Where the section of a heading ends: at the next unknown heading of its level, or of a paper's."""
        return self._next[max(self._items[index].level, self._paper_level)][index]

    def _find_last_paper(self) -> int:
        """The last item that shows that a paper is there: a label, or a heading of what looks like a paper."""
        papers = [
            index
            for index in self._headings
            if self._items[index].level <= self._paper_level and self._looks_like_paper(index)
        ]
        labels = [index for index, item in enumerate(self._items) if item.label in PAPER_LABELS]
        return max([*papers, *labels], default=-1)

    def _visit_heading(self, index: int) -> None:
        if self._is_repeated(index):
            return
        if self._items[index].level <= self._paper_level:
            self._visit_heading_of_paper_rank(index)
        else:
            self._visit_lower_heading(index)

    def _is_repeated(self, index: int) -> bool:
        """Whether the same heading follows at once, so that this one says nothing."""
        following = index + 1
        return following in self._headings and title_key(self._items[following].text) == title_key(
            self._items[index].text
        )

    def _visit_heading_of_paper_rank(self, index: int) -> None:
        labels = self._labels_between(index, self._end_of_section(index)) & CORE_LABELS
        known = self._paper.labels & CORE_LABELS if self._paper else set()
        if labels:
            if known and known != CORE_LABELS and not known & labels:
                self._doubt(index, "may be a section of the paper before it or a paper of its own")
            self._open(index)
            return
        if self._looks_like_paper(index) and (
            not self._has_labels or has_address_of_paper(self._section(index))
        ):
            self._open(index)
        elif (
            self._paper
            and index > self._last_paper
            and not may_be_paper(self._items[index], self._section(index))
        ):
            self.closing = index
        else:
            self._doubt(index, "begins neither a paper nor a section that is known")

    def _visit_lower_heading(self, index: int) -> None:
        labels = self._labels(index) & CORE_LABELS
        if self._paper is None:
            if labels:
                self._open(index)
            return
        repeated = labels & self._paper.labels
        if not repeated:
            if not labels and self._hides_below(index):
                self._doubt(index, "may be the title of a paper")
            return
        if "intro" not in labels and len(labels) == 1:
            self._doubt(index, "may be the title of a paper")
        self._open(index)

    def _open(self, index: int) -> None:
        self._paper = _Paper(index, strip_emoji(self._items[index].text))
        self.starts.append(index)

    # --- signs of a paper -----------------------------------------------------------

    def _section(self, index: int) -> Sequence[Item]:
        """What stands below a heading."""
        return self._items[index + 1 : self._end_of_section(index)]

    def _looks_like_paper(self, index: int) -> bool:
        return self._count_signs(index) >= MIN_SIGNS_OF_PAPER

    def _count_signs(self, index: int) -> int:
        if index not in self._signs:
            self._signs[index] = count_signs(self._items[index], self._section(index))
        return self._signs[index]

    def _hides_below(self, index: int) -> bool:
        """Whether a heading below a paper's rank looks like the title of another paper."""
        is_titled = has_two_titles(self._items[index]) and has_address_of_paper(self._section(index))
        return is_titled or self._count_signs(index) >= MIN_SIGNS_OF_HIDDEN_PAPER

    def _hides_paper(self, index: int) -> bool:
        """Whether a text begins with a title. Before the papers it may announce one of them."""
        title = hidden_title(self._items, index)
        return bool(title) and (self._paper is not None or title_key(title) not in self._keys)

    # --- labels ---------------------------------------------------------------------

    def _visit_label(self, index: int, label: Label) -> None:
        if label in {"summary", "overview"} and self._paper:
            self._visit_label_of_front(index)
        if label not in PAPER_LABELS:
            return
        if self._paper is None or label in self._paper.labels:
            if self._paper and self._is_doubled(index, label):
                return
            title = self._title_line_before(index)
            if title is not None and label in CORE_LABELS:
                self._open(title)
            elif not self._has_told_doubt:
                self._has_told_doubt = True
                self._doubt(index, "belongs to no paper that has a title")
        if self._paper:
            self._paper.labels.add(label)

    def _visit_label_of_front(self, index: int) -> None:
        """A part of the post's beginning after a paper does not belong to that paper."""
        if index > self._last_paper:
            self.closing = index
        else:
            self._doubt(index, "stands among the papers and belongs to none")

    def _is_doubled(self, index: int, label: Label) -> bool:
        """Whether the same label stands directly before this one."""
        before = index - 1
        while before >= 0 and self._items[before].kind in {"picture", "rule"}:
            before -= 1
        return self._items[before].label == label

    def _title_line_before(self, index: int) -> int | None:
        """The index of a line directly before a label that can only be a paper's title, or None."""
        before = index - 1
        while before >= 0 and self._items[before].kind == "picture":
            before -= 1
        if before < 0 or (self._paper and before <= self._paper.start):
            return None
        item = self._items[before]
        is_line = (
            item.kind == "block"
            and item.block.type != "table"
            and not item.label
            and not item.block.links
            and "\n" not in item.text
            and len(item.text) <= MAX_TITLE_CHARACTERS
            and not self._is_boilerplate[before]
        )
        return before if is_line and (is_bold(item) or has_two_titles(item)) else None

    # --- doubts ---------------------------------------------------------------------

    def _doubt(self, index: int, what: str) -> None:
        text = strip_emoji(self._items[index].text)
        self.doubts.append(f"{self._place()}, “{text[:MAX_QUOTED_CHARACTERS]}” {what}")

    def _place(self) -> str:
        if self._paper is None:
            return "before the first paper"
        return f"in or after paper {len(self.starts)} ({self._paper.name[:MAX_QUOTED_CHARACTERS]})"
