"""Draw random mutants, try each one, and show which share of them the tests notice.

    python -m bench.mutants --count 300 --seed 7 --package delivery --workers 2

A mutant is a small change of the code, such as `<` in place of `<=`. What no test notices is a claim that no test makes, or
code that is not needed. The first run measures which tests run which lines, which takes longer than the suite. Results
are added to `var/mutants/results.jsonl`, so a run that was stopped goes on where it was.
"""

import argparse
import json
import os
import queue
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.mutants.checkout import checkout
from bench.mutants.coverage_map import FOLDER, MAP, PACKAGES, build_map, load_map
from bench.mutants.draw import Mutant, draw
from bench.mutants.trial import CAP_SECONDS, Result, Trials
from bench.processes import show

RESULTS = FOLDER / "results.jsonl"
NICENESS = 10
Entry = dict[str, Any]


def main() -> None:
    options = _options()
    os.nice(NICENESS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if options.map is not None or not MAP.exists():
        build_map(*(options.map or ()))
    if options.again:
        wanted = [_mutant(entry) for entry in _entries(options.again) if entry["result"] == "survived"]
    else:
        wanted = list(draw(options.package or PACKAGES, options.count, options.seed))
    known = {_mutant(entry): entry for entry in _entries(options.results)}
    missing = [mutant for mutant in wanted if mutant not in known]
    show(f"{len(wanted)} mutants, of which {len(wanted) - len(missing)} have results")
    for entry in _tried(missing, options.workers, options.cap):
        known[_mutant(entry)] = entry
        _append(options.results, entry)
        number = len(known)
        show(f"{number:4} {entry['result']:8} {entry['file']}:{entry['line']} {entry['test']}")
    _summarise([known[mutant] for mutant in wanted])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.mutants", description="tries random mutants")
    parser.add_argument("--count", type=int, default=300, help="how many mutants")
    parser.add_argument("--seed", type=int, default=1, help="draws others")
    parser.add_argument("--package", action="append", choices=PACKAGES, help="several are possible")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cap", type=float, default=CAP_SECONDS, help="seconds of tests for each mutant")
    parser.add_argument(
        "--map", nargs="*", metavar="TESTS", help="measure all tests anew, or some files of them"
    )
    parser.add_argument("--again", type=Path, metavar="RESULTS", help="try the survivors of these results")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are added")
    return parser.parse_args()


def _tried(mutants: list[Mutant], workers: int, cap_seconds: float) -> Iterator[Entry]:
    """The results in the order in which they come. Each worker has its own copy of the checkout."""
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)
    done: queue.SimpleQueue[Entry | BaseException] = queue.SimpleQueue()
    trials = Trials(load_map(), cap_seconds)
    for _ in range(workers):
        threading.Thread(target=_work, args=(trials, waiting, done), daemon=True).start()
    for _ in mutants:
        result = done.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def _work(
    trials: Trials, waiting: "queue.SimpleQueue[Mutant]", done: "queue.SimpleQueue[Entry | BaseException]"
) -> None:
    try:
        with checkout() as copy:
            while True:
                try:
                    mutant = waiting.get_nowait()
                except queue.Empty:
                    return
                done.put(_entry(mutant, trials.result(mutant, copy)))
    except Exception as error:  # noqa: BLE001  the main thread raises it
        done.put(error)


def _entry(mutant: Mutant, result: Result) -> Entry:
    return {**asdict(mutant), "diff": mutant.diff(), **asdict(result)}


def _mutant(entry: Entry) -> Mutant:
    return Mutant(**{name: entry[name] for name in Mutant.__dataclass_fields__})


def _entries(file: Path) -> list[Entry]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _append(file: Path, entry: Entry) -> None:
    with file.open("a") as results:
        results.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _summarise(entries: list[Entry]) -> None:
    survivors = [entry for entry in entries if entry["result"] == "survived"]
    for entry in sorted(survivors, key=lambda entry: (entry["file"], entry["line"])):
        show(
            f"\n{entry['file']}:{entry['line']} ({entry['operator']}, {entry['tests']} tests)\n{entry['diff']}"
        )
    show("")
    for package in sorted({entry["package"] for entry in entries}):
        _show_share(package, (entry for entry in entries if entry["package"] == package))
    _show_share("all", entries)


def _show_share(name: str, entries: Iterable[Entry]) -> None:
    counts = Counter(entry["result"] for entry in entries)
    noticed = counts["killed"] + counts["timeout"]
    tried = noticed + counts["survived"]
    share = f"{noticed / tried:.0%}" if tried else "-"
    show(f"{name:14} {noticed} of {tried} noticed, {share} ({counts['timeout']} by a hang)")


if __name__ == "__main__":
    main()
