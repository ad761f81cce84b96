"""Finds headings and labels by their positions in a post, in less time than a walk through its items."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence, Set

from issues.parse.labels import Label
from issues.parse.outline import Item


def next_of(indices: Set[int], count: int) -> list[int]:
    """For each of `count` positions the first of the indices after it, or `count`."""
    following = [count] * count
    nearest = count
    for position in range(count - 1, -1, -1):
        following[position] = nearest
        if position in indices:
            nearest = position
    return following


class LabelIndex:
    """Finds the labels between two positions without walking through the items."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._positions: dict[Label, list[int]] = {}
        for index, item in enumerate(items):
            if item.label:
                self._positions.setdefault(item.label, []).append(index)

    def __call__(self, after: int, until: int) -> set[Label]:
        """The labels of the items after `after` and before `until`."""
        return {
            label
            for label, positions in self._positions.items()
            if bisect_left(positions, until) > bisect_right(positions, after)
        }
