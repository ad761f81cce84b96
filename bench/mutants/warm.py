"""Runs tests on changed functions in forks of a pytest that has collected all tests, which spares every import.

A fork gives each function of a changed file its new code. A change outside of functions needs imports, so it is refused.
"""

import gc
import inspect
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import _pytest.main
import pytest

from bench.mutants.forking import NOT_A_FUNCTION, begin_fork, silence, wait_for


class Server:
    """A pytest plugin that waits for orders where the tests would run. Each fork goes on as an ordinary run."""

    def __init__(self, orders: Iterator[str], answers: Any) -> None:
        self._orders = orders
        self._answers = answers

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Answer orders until there are none. In a fork, run the tests of its order."""
        collected = {item.nodeid: item for item in session.items}
        gc.freeze()  # so that a collection in a fork does not copy the memory of all that was loaded
        self._answer(None)
        for line in self._orders:
            order = json.loads(line)
            child = os.fork()
            if not child:
                begin_fork(order)
                if not _take_over(Path(order["file"]), order["original"]):
                    os._exit(NOT_A_FUNCTION)
                session.items = [collected[name] for name in order["tests"] if name in collected]
                session.testscollected = len(session.items)
                session.config._env_timeout = order["timeout"]  # type: ignore[attr-defined]
                _pytest.main.pytest_runtestloop(session)
                return True
            self._answer(wait_for(child, order["limit"]))
        return True

    def _answer(self, exit_code: int | None) -> None:
        self._answers.write(f"{json.dumps(exit_code)}\n")
        self._answers.flush()


def _take_over(file: Path, original: str) -> bool:
    """Give all functions of the file their new code. Returns whether the change is in functions alone."""
    path = str(file.resolve())
    before = list(_codes(compile(original, path, "exec")))
    after = list(_codes(compile(file.read_text(), path, "exec")))
    if [code.co_qualname for code in before] != [code.co_qualname for code in after]:
        return False
    pairs = list(zip(before, after, strict=True))
    if any(not code.co_flags & inspect.CO_OPTIMIZED and _own(code) != _own(new) for code, new in pairs):
        return False  # the module or the body of a class
    codes = {(code.co_qualname, code.co_firstlineno): new for code, new in pairs}
    gc.unfreeze()
    functions = [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]
    gc.freeze()
    taken = [function for function in functions if function.__code__.co_filename == path]
    try:
        for function in taken:
            key = function.__code__.co_qualname, function.__code__.co_firstlineno
            function.__code__ = codes.get(key, function.__code__)
    except ValueError:
        return False  # it uses other names of the function around it
    return bool(taken)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _own(code: CodeType) -> tuple[object, ...]:
    """What a code does by itself, without the codes in it."""
    constants = tuple(repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType))
    return (code.co_code, constants, code.co_names)


def main() -> None:
    """Collect the tests of the present folder and serve."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    silence()
    sys.path.insert(0, str(Path.cwd()))
    options = ["-q", "-s", "-x", "-p", "bench.mutants.recorder", "-p", "no:cacheprovider", "tests"]
    exit_code = pytest.main(options, plugins=[Server(iter(orders.readline, ""), answers)])
    os._exit(int(exit_code))  # clearing up everything that was loaded takes longer than most tests


if __name__ == "__main__":
    main()
