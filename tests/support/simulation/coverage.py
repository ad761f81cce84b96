"""Counts how often each rule of the state machine ran, and each pair of rules one after the other."""

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise


class Coverage:
    """How often each rule ran, and how often each pair of rules ran one after the other.

    `last_failure` names the rules of the last history that failed.
    """

    def __init__(self, rules: Iterable[str]) -> None:
        self.histories = 0
        self.last_failure: list[str] = []
        self.rules: Counter[str] = Counter(dict.fromkeys(rules, 0))
        self.pairs: Counter[tuple[str, str]] = Counter()

    def add(self, history: list[str]) -> None:
        """Count the rules of one history."""
        self.histories += 1
        self.rules.update(history)
        self.pairs.update(pairwise(history))

    def summary(self) -> str:
        """The counts in one line."""
        return (
            f"{self.histories} histories with {self.rules.total()} acts: each of the {len(self.rules)} rules ran "
            f"{min(self.rules.values())} to {max(self.rules.values())} times, and {len(self.pairs)} of "
            f"{len(self.rules) ** 2} pairs of rules ran one after the other"
        )

    def table(self) -> str:
        """A line for each rule: how often it ran, and how many different rules came before and after it."""
        before, after = Counter(pair[1] for pair in self.pairs), Counter(pair[0] for pair in self.pairs)
        return "\n".join(
            f"{count:7} {name}, after {before[name]} and before {after[name]} rules"
            for name, count in sorted(self.rules.items(), key=lambda item: item[1])
        )
