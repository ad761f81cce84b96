"""Random changes of the code, drawn evenly over its lines.

The operators are those of mutmut: other operators, numbers, texts and keywords, and arguments that are missing. Added are
a condition that is negated, a value that is not returned and a call that is not made.
"""

import ast
import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from itertools import islice, takewhile
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_swap_op

from bench.mutants.checkout import ROOT

Change = tuple[str, cst.CSTNode, cst.CSTNode]  # the operator's name, a node, and what takes its place
LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log", "getLogger"}
# mutmut asks of every node whether it is one of these, which takes a minute for all files.
SWAPPED = (cst.BinaryOperation, cst.UnaryOperation, cst.BooleanOperation, cst.ComparisonTarget, cst.AugAssign)
# Nothing of these can be noticed when the code runs.
SKIPPED = (cst.Annotation, cst.Import, cst.ImportFrom)


@dataclass(frozen=True)
class Mutant:
    """A change of some lines of a file. `line` is the first one that changes."""

    package: str
    file: str
    line: int
    operator: str
    old: str
    new: str

    def applied_to(self, source: str) -> str | None:
        """The changed source. The nearest place with the old lines is changed, and None means that there is none."""
        lines, old = source.splitlines(keepends=True), self.old.splitlines(keepends=True)
        places = [
            number for number in range(len(lines) - len(old) + 1) if lines[number : number + len(old)] == old
        ]
        if not places:
            return None
        place = min(places, key=lambda number: abs(number - self.line + 1))
        return "".join([*lines[:place], self.new, *lines[place + len(old) :]])

    def diff(self) -> str:
        changes = list(unified_diff(self.old.splitlines(), self.new.splitlines(), n=0, lineterm=""))[3:]
        return "\n".join(changes)


def draw(packages: Iterable[str], count: int, seed: int) -> Iterator[Mutant]:
    """Mutants at different lines. Each line of code that can be changed is as likely as any other.

    A line keeps its place in the order when other lines are edited, so a run that was stopped can go on.
    """
    changes = {
        (_digest(seed, file.relative_to(ROOT), text), package, file): found
        for package in packages
        for file in sorted((ROOT / package).rglob("*.py"))
        if file.name != "__init__.py"
        for text, found in _changes_by_line(file)
    }
    found = (_drawn(*place, changes[place]) for place in sorted(changes))
    yield from islice((mutant for mutant in found if mutant), count)


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr([str(part) for part in parts]).encode()).hexdigest()


def _drawn(
    digest: str, package: str, file: Path, changes: "list[tuple[cst.Module, Change]]"
) -> Mutant | None:
    """One of the changes of a line."""
    changes = random.Random(digest).sample(changes, len(changes))  # noqa: S311  nothing secret
    return next((mutant for change in changes if (mutant := _mutant(package, file, change))), None)


def _mutant(package: str, file: Path, change: tuple[cst.Module, Change]) -> Mutant | None:
    module, (operator, node, replacement) = change
    old = module.code.splitlines(keepends=True)
    new = cst.ensure_type(module.deep_replace(node, replacement), cst.Module).code.splitlines(keepends=True)
    try:
        if ast.dump(ast.parse("".join(old))) == ast.dump(ast.parse("".join(new))):
            return None
    except SyntaxError:
        return None
    start = _common(old, new)
    same_at_end = _common(old[start:][::-1], new[start:][::-1])
    lines = "".join(old[start : len(old) - same_at_end]), "".join(new[start : len(new) - same_at_end])
    return Mutant(package, str(file.relative_to(ROOT)), start + 1, operator, *lines)


def _common(some: list[str], others: list[str]) -> int:
    """How many lines at the beginning are the same."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def _changes_by_line(file: Path) -> Iterator[tuple[str, list[tuple[cst.Module, Change]]]]:
    """The changes of each line, with its text and how often the same text stands above it."""
    wrapper = MetadataWrapper(cst.parse_module(file.read_text()), unsafe_skip_copy=True)
    visitor = _Changes()
    wrapper.visit(visitor)
    lines, seen = file.read_text().splitlines(), Counter[str]()
    for number, found in sorted(visitor.found.items()):
        text = lines[number - 1]
        yield f"{text}#{seen[text]}", [(wrapper.module, change) for change in found]
        seen[text] += 1


class _Changes(cst.CSTVisitor):
    """Collects all changes of a module by line."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        self.found: dict[int, list[Change]] = {}

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, SKIPPED) or _is_docstring(node) or _is_log_call(node):
            return False
        for operator in _operators(type(node)):
            for replacement in operator(node):
                if _is_case_of_pattern(node, replacement):
                    continue
                line = self.get_metadata(PositionProvider, node).start.line
                change = (operator.__name__.strip("_").removeprefix("operator_"), node, replacement)
                self.found.setdefault(line, []).append(change)
        return True


@cache
def _operators(kind: type[cst.CSTNode]) -> list[Callable[..., Iterable[cst.CSTNode]]]:
    return [
        operator
        for of_kind, operator in (*mutation_operators, *OWN_OPERATORS)
        if issubclass(kind, SWAPPED if operator is operator_swap_op else of_kind)
    ]


def _is_case_of_pattern(node: cst.CSTNode, replacement: cst.CSTNode) -> bool:
    """Whether only the case of a raw text changes: nearly all patterns here ignore it."""
    match node, replacement:
        case cst.SimpleString(value=before), cst.SimpleString(value=after):
            return before.startswith("r") and before.lower() == after.lower()
    return False


def _is_docstring(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.BaseString)


def _is_log_call(node: cst.CSTNode) -> bool:
    match node:
        case cst.Expr(
            value=cst.Call(func=cst.Attribute(value=cst.Name(value=name), attr=cst.Name(value=method)))
        ):
            return "log" in name and method in LOG_METHODS
        case cst.Assign(value=cst.Call(func=cst.Attribute(attr=cst.Name(value="getLogger")))):
            return True
    return False


def _negated_condition(node: cst.If | cst.While) -> Iterator[cst.CSTNode]:
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield node.with_changes(test=cst.UnaryOperation(operator=cst.Not(), expression=test))


def _missing_result(node: cst.Return) -> Iterator[cst.CSTNode]:
    if node.value and not (isinstance(node.value, cst.Name) and node.value.value == "None"):
        yield node.with_changes(value=cst.Name("None"))


def _missing_call(node: cst.Expr) -> Iterator[cst.CSTNode]:
    if isinstance(node.value, cst.Call | cst.Await):
        yield cst.Pass()


OWN_OPERATORS: tuple[tuple[type, Callable[..., Iterator[cst.CSTNode]]], ...] = (
    (cst.If, _negated_condition),
    (cst.While, _negated_condition),
    (cst.Return, _missing_result),
    (cst.Expr, _missing_call),
)
