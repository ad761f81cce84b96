"""The part of the reference about alarms: each notice to operators, with "…" for what differs."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench.reference.tables import table

ROOT = Path(__file__).parents[2]
PACKAGES = ("bounces", "delivery", "flows", "mailings", "monitoring", "paperboy")


@dataclass(frozen=True)
class AlarmText:
    """What an alarm says: in its subject, as the cause, and what to do."""

    what: str
    cause: str
    remedy: str


def text() -> str:
    """One table."""
    rows = ((alarm.what, alarm.cause, _linked(alarm.remedy)) for alarm in all_alarms())
    return table(("alarm", "its cause", "what to do"), rows)


def all_alarms() -> Iterator[AlarmText]:
    """Every notice that a function of the code builds. Those of modules are samples."""
    for file in (file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))):
        module = ast.parse(file.read_text("utf-8"))
        constants = _assigned(module.body)
        for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)):
            yield from _alarms_of(function, constants)


def _alarms_of(function: ast.FunctionDef, constants: dict[str, list[ast.expr]]) -> Iterator[AlarmText]:
    known = constants | _assigned(ast.walk(function))
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "OperatorNotice":
            parts = {word.arg: _texts(word.value, known) for word in node.keywords}
            # A function with several subjects has as many remedies, in the same order.
            yield from map(AlarmText, parts["what"], cycle(parts["cause"]), cycle(parts["remedy"]))


def _assigned(nodes: Iterator[ast.AST] | list[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What is assigned to each name, in the order of the source."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _texts(node: ast.expr, known: dict[str, list[ast.expr]]) -> list[str]:
    """The texts that an expression can be."""
    match node:
        case ast.Constant(str() as value):
            return [value]
        case ast.Name(name) if name in known:
            return [text for value in known[name] for text in _texts(value, known)]
        case ast.IfExp(body=one, orelse=other):
            return [*_texts(one, known), *_texts(other, known)]
        case ast.JoinedStr(parts):
            texts = [""]
            for part in parts:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                ends = _texts(inner, known)  # one of several words in a sentence is left open
                several = isinstance(part, ast.FormattedValue) and len(ends) > 1 and len(texts) > 1
                texts = [start + end for start in texts for end in (["…"] if several else ends)]
            return texts
    return ["…"]


def _linked(remedy: str) -> str:
    """A remedy in which the pages that it names are links."""
    return re.sub(r"docs/(\S+\.md)(#\S+)?", r"[docs/\1\2](../\1\2)", remedy)
