"""Every promise in docs/promises.md has tests, and every test that it names exists."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> list[tuple[int, str]]:
    """The number and the text of each promise, in the order of the page."""
    page = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    sections = re.findall(r"(?ms)^## (\d+)\. (.*?)(?=^## |\Z)", page)
    return [(int(number), text) for number, text in sections]


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the test functions in a file. A file that does not exist has none."""
    file = ROOT / path
    module = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
    return frozenset(
        node.name
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def test_the_promises_are_numbered_from_1_to_12() -> None:
    assert [number for number, _ in promises()] == list(range(1, 13))


def test_every_promise_names_tests_that_exist() -> None:
    for number, text in promises():
        named = NAMED_TEST.findall(text)
        assert named, f"promise {number} has no test"
        missing = [f"{path}::{name}" for path, name in named if name not in names_in(path)]
        assert missing == [], f"promise {number} names tests that do not exist"


def test_every_entry_of_a_promise_is_a_test() -> None:
    """An entry whose name is not written as that of a test would be passed over."""
    entries = [line for _, text in promises() for line in text.splitlines() if line.startswith("- ")]
    assert len(entries) > 80
    assert [entry for entry in entries if not NAMED_TEST.match(entry, 2)] == []
