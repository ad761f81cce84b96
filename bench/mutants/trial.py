"""Trying a mutant: which tests run on it, in which order, and whether one of them notices it."""

import ast
import threading
import time
from dataclasses import dataclass, field

from bench.mutants.checkout import Checkout, Run
from bench.mutants.coverage_map import CoverageMap
from bench.mutants.draw import Mutant

CAP_SECONDS = 150.0  # of the tests of one mutant, as they took in the run that made the map
BATCHES_SECONDS = (10.0, 40.0, CAP_SECONDS)  # a few quick tests notice most mutants
OTHER_TESTS_SHARE = 0.1  # of the cap, for tests that run other lines of the file
START_SECONDS = 60.0  # for pytest and PostgreSQL to start on a busy machine
MIN_TESTS = 3  # of a mutant, however long they take
SLOWER = 5  # how much slower than in the map a test may be before it counts as a hang
# These run the code in processes of their own, which may end without saying what they ran.
PROCESS_TESTS = (
    "tests/cli/",
    "tests/delivery/test_kills.py",
    "tests/delivery/test_crashes.py",
    "tests/flows/",
)
# What a test needs before it is ready was started by another test when the map was made.
PREPARATION_SECONDS = {"tests/flows/": 40.0, "tests/web/": 2.0, "postgresql": 2.0}
NO_TESTS_LOADED = 4  # pytest's exit code if conftest.py cannot be loaded
ENDINGS_OF_A_NOTICED_MUTANT = {1, 2, 3}  # a failed test, an error while collecting, an error of pytest


@dataclass(frozen=True)
class Result:
    """`result` is killed, timeout or survived. It is gone if the changed lines no longer exist."""

    result: str
    test: str = ""
    where: str = ""
    tests: int = 0
    seconds: float = 0.0


@dataclass
class Trials:
    """Tries mutants. Tests that fail on unchanged code are remembered and left out."""

    coverage_map: CoverageMap
    cap_seconds: float = CAP_SECONDS
    verified: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def result(self, mutant: Mutant, copy: Checkout) -> Result:
        """Run the covering tests on the mutant, the quickest first, until one fails or the cap is reached."""
        begun = time.monotonic()
        source = (copy.folder / mutant.file).read_text()
        changed = mutant.applied_to(source)
        if changed is None:
            return Result("gone")
        tests = self._selected(mutant, source)
        ran = 0
        for batch in self._batches(tests):
            ran += len(batch)
            with copy.changed(mutant.file, changed):
                run = self._run(batch, copy)
            outcome = self._outcome(run, batch, copy)
            if outcome:
                return Result(outcome, run.test, run.where, ran, round(time.monotonic() - begun, 1))
        return Result("survived", tests=ran, seconds=round(time.monotonic() - begun, 1))

    def _selected(self, mutant: Mutant, source: str) -> list[str]:
        """The tests of the line, then some others, each part from the quickest to the slowest."""
        seconds = self.coverage_map.seconds
        of_line = set[str]()
        for line in range(mutant.line, mutant.line + mutant.old.count("\n")):
            if is_in_function(source, line):  # other lines ran in whichever test imported the file first
                of_line |= self.coverage_map.tests_of_line(mutant.file, line, source)
        others = self.coverage_map.tests_of_file(mutant.file)
        limit = self.cap_seconds * (OTHER_TESTS_SHARE if of_line else 1)
        if not of_line:
            folder = f"tests/{mutant.package.rpartition('/')[2]}/"
            others = others | {test for test in seconds if test.startswith((folder, *PROCESS_TESTS))}
        first, second = (
            self._quickest(of_line, self.cap_seconds, MIN_TESTS),
            self._quickest(others - of_line, limit),
        )
        return [*first, *second]

    def _quickest(self, tests: set[str], limit: float, at_least: int = 0) -> list[str]:
        """The quickest tests whose seconds add up to the limit. What runs on both databases runs on SQLite first."""
        total, taken = 0.0, list[str]()
        for test in sorted(tests, key=lambda test: ("[postgresql" in test, self._cost(test), test)):
            total += self.coverage_map.seconds[test]
            if max(total, self._cost(test)) > limit and len(taken) >= at_least:
                break
            taken.append(test)
        return taken

    def _cost(self, test: str) -> float:
        preparation = (seconds for part, seconds in PREPARATION_SECONDS.items() if part in test)
        return self.coverage_map.seconds[test] + sum(preparation)

    def _batches(self, tests: list[str]) -> list[list[str]]:
        batches: list[list[str]] = [[]]
        limits = list(BATCHES_SECONDS)
        total = 0.0
        for test in tests:
            total += self.coverage_map.seconds[test]
            if total > limits[0] and len(limits) > 1:
                limits.pop(0)
                batches.append([])
            batches[-1].append(test)
        return [batch for batch in batches if batch]

    def _run(self, batch: list[str], copy: Checkout, *options: str) -> Run:
        tests = [test for test in batch if test not in self.broken]
        if not tests:
            return Run(0)
        seconds = [self.coverage_map.seconds.get(test, 1.0) for test in tests]
        longest = START_SECONDS / 2 + SLOWER * max(seconds)
        limit = START_SECONDS + SLOWER * sum(seconds)
        return copy.run(tests, limit, longest, *options)

    def _outcome(self, run: Run, batch: list[str], copy: Checkout) -> str | None:
        """What the run says of the mutant, if the unchanged code passes the test that noticed it."""
        if run.exit_code is None:
            return "timeout" if self._passes_unchanged(run.test, copy) else None
        if run.exit_code == NO_TESTS_LOADED:
            return None if self._run(batch, copy, "--collect-only").exit_code else "killed"
        if run.exit_code not in ENDINGS_OF_A_NOTICED_MUTANT:
            return None
        if run.test and not self._passes_unchanged(run.test, copy):
            return None
        return "killed"

    def _passes_unchanged(self, test: str, copy: Checkout) -> bool:
        """Whether the test notices the change, and not a fault of the copy. One test of each file is tried."""
        file = test.partition("::")[0]
        if file in self.verified:
            return True
        passes = self._run([test], copy).exit_code == 0
        with self.lock:
            (self.verified if passes else self.broken).add(file if passes else test)
        return passes


def is_in_function(source: str, line: int) -> bool:
    """Whether a line is in the body of a function."""
    return any(
        node.body[0].lineno <= line <= (node.end_lineno or 0)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
