"""Which tests run which line, measured once by a run of the whole suite and kept in `var/mutants`."""

import json
import shutil
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import coverage

from bench.mutants.checkout import ROOT, checkout
from bench.processes import show

FOLDER = ROOT / "var" / "mutants"
MAP = FOLDER / "map.json"
SUITE_LIMIT_SECONDS = 7200.0
TEST_LIMIT_SECONDS = 120.0
PACKAGES = ("delivery", "mailings", "bounces", "issues", "subscribers", "paperboy/web", "flows")
COVERAGE_SETTINGS = """
[run]
parallel = true
concurrency = thread, multiprocessing
data_file = {data}
context = ${{MUTANTS_TEST-}}
disable_warnings = no-data-collected, module-not-imported
source = {sources}
"""


@dataclass(frozen=True)
class CoverageMap:
    """The seconds of each test that passed, the tests of each line, and the sources that were measured."""

    seconds: dict[str, float]
    tests: dict[str, dict[int, list[str]]]
    sources: dict[str, str]

    def tests_of_line(self, file: str, line: int, source: str) -> set[str]:
        """The tests that ran the line, which may since have moved."""
        old, new = self.sources.get(file, "").splitlines(), source.splitlines()
        for block in SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks():
            if block.b <= line - 1 < block.b + block.size:
                return set(self.tests.get(file, {}).get(line - block.b + block.a, []))
        return set()

    def tests_of_file(self, file: str) -> set[str]:
        """The tests that ran any function of the file."""
        return {test for tests in self.tests.get(file, {}).values() for test in tests}


def load_map() -> CoverageMap:
    """The stored map."""
    stored = json.loads(MAP.read_text())
    names = stored["names"]
    tests = {
        file: {int(line): [names[number] for number in numbers] for line, numbers in lines.items()}
        for file, lines in stored["tests"].items()
    }
    return CoverageMap(stored["seconds"], tests, stored["sources"])


def build_map(*test_files: str) -> None:
    """Run the suite in a copy of the checkout, or some of its files in order to add them to the map."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with checkout() as copy:
        measured = copy.folder / "measured"
        measured.mkdir()
        sources = ", ".join(str(copy.folder / package) for package in PACKAGES)
        settings = measured / "coveragerc"
        settings.write_text(COVERAGE_SETTINGS.format(data=measured / "data", sources=sources))
        times = measured / "times"
        copy.run(
            test_files or ["tests"],
            SUITE_LIMIT_SECONDS,
            TEST_LIMIT_SECONDS,
            "-n2",
            "--maxfail=1000",
            "--dist=loadfile",
            COVERAGE_PROCESS_START=str(settings),
            MUTANTS_TIMES=str(times),
        )
        combined = coverage.Coverage(data_file=str(measured / "data"), config_file=str(settings))
        combined.combine()
        seconds = _passed(times, copy.folder)
        tests = _tests_of_lines(combined.get_data(), copy.folder, set(seconds))
        files = {file: (copy.folder / file).read_text() for file in tests}
    new = CoverageMap(seconds, tests, files)
    _store(_merged(load_map(), new) if test_files else new)


def _passed(times: Path, folder: Path) -> dict[str, float]:
    """The seconds of each test with its fixtures. Only tests that pass in a copy of the checkout can notice a mutant.

    A test whose parameters name the folder has another name in each copy, so it is left out as well.
    """
    seconds: dict[str, float] = {}
    excluded = set()
    for line in times.read_text().splitlines():
        entry = json.loads(line)
        seconds[entry["test"]] = seconds.get(entry["test"], 0.0) + entry["seconds"]
        if str(folder) in entry["test"]:
            excluded.add(entry["test"])
        if entry["outcome"] != "passed":
            excluded.add(entry["test"])
            show(f"left out, because it {entry['outcome']}: {entry['test']}")
    return {test: duration for test, duration in seconds.items() if test not in excluded}


def _tests_of_lines(
    data: coverage.CoverageData, folder: Path, passed: set[str]
) -> dict[str, dict[int, list[str]]]:
    found: dict[str, dict[int, list[str]]] = {}
    for path in data.measured_files():
        file = str(Path(path).relative_to(folder))
        found[file] = {
            line: sorted(passed.intersection(tests)) for line, tests in data.contexts_by_lineno(path).items()
        }
    return found


def _merged(old: CoverageMap, new: CoverageMap) -> CoverageMap:
    """The old map with the new measurements added. Its lines are those of the new sources."""
    tests = dict(old.tests)
    for file, lines in new.tests.items():
        count = new.sources[file].count("\n") + 1
        tests[file] = {
            line: sorted(old.tests_of_line(file, line, new.sources[file]) | set(lines.get(line, [])))
            for line in range(1, count + 1)
        }
    return CoverageMap(old.seconds | new.seconds, tests, old.sources | new.sources)


def _store(coverage_map: CoverageMap) -> None:
    names = sorted(coverage_map.seconds)
    numbers = {name: number for number, name in enumerate(names)}
    tests = {
        file: {
            line: [numbers[test] for test in found if test in numbers]
            for line, found in lines.items()
            if found
        }
        for file, lines in coverage_map.tests.items()
    }
    new = MAP.with_suffix(".new")
    new.write_text(
        json.dumps(
            {"names": names, "seconds": coverage_map.seconds, "tests": tests, "sources": coverage_map.sources}
        )
    )
    shutil.move(new, MAP)
