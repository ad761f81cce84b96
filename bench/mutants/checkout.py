"""A copy of the checkout in a temporary folder, in which tests run on changed code."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2
from typing import Any

from bench.mutants.forking import NOT_A_FUNCTION, ForkingPytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """How a run of tests ended: pytest's exit code, or None for a hang; the first test that failed, and where."""

    exit_code: int | None
    test: str = ""
    where: str = ""


class Checkout:
    """A copy of all files that git knows or would add."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for name in listed.split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                copy2(ROOT / name, folder / name)
        node_modules = Path("tests/mail_checks/node_modules")
        if (ROOT / node_modules).is_dir():
            (folder / node_modules).symlink_to(ROOT / node_modules)
        # A changed file can have the size and the time of the original, so bytecode is found by the hash of its source.
        compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "."]
        subprocess.run(compiling, cwd=folder, check=True)
        self._changed: dict[str, str] = {}
        self._cold = ForkingPytest("bench.mutants.forking", folder)
        self._warm = ForkingPytest("bench.mutants.warm", folder)

    @contextmanager
    def changed(self, file: str, source: str) -> Iterator[None]:
        """Replace a file's text as long as the context lasts."""
        path = self.folder / file
        original = path.read_text()
        path.write_text(source)
        self._changed = {"file": str(path), "original": original}
        try:
            yield
        finally:
            path.write_text(original)
            self._changed = {}

    def run(
        self, tests: Sequence[str], limit: float, timeout: float, *options: str, **environment: str
    ) -> Run:
        """Run tests in this order until the first failure, and interrupt them after `limit` seconds.

        `tests` are names of tests, or files and folders. `timeout` is the limit of each test.
        """
        names, failure, running = (self.folder / name for name in ("var-tests", "var-failure", "var-running"))
        names.write_text("\n".join(tests))
        failure.unlink(missing_ok=True)
        running.unlink(missing_ok=True)
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        if files != list(tests):
            environment["MUTANTS_TESTS"] = str(names)
        order: dict[str, Any] = {
            "limit": limit,
            "environment": self._environment(failure, running) | environment,
        }
        exit_code: int | None = NOT_A_FUNCTION
        if self._changed and not options:
            exit_code = self._warm.run(order | self._changed | {"tests": list(tests), "timeout": timeout})
        if exit_code == NOT_A_FUNCTION:
            arguments = ["-q", "-x", "-p", "bench.mutants.recorder", "-p", "no:cacheprovider"]
            arguments += [f"--timeout={timeout:.0f}", *options, *files]
            exit_code = self._cold.run(order | {"arguments": arguments})
        if exit_code is None or (exit_code == 1 and not failure.exists()):
            return Run(None, running.read_text() if running.exists() else "")
        if failure.exists():
            return Run(exit_code, **json.loads(failure.read_text().replace(f"{self.folder}/", "")))
        return Run(exit_code)

    def close(self) -> None:
        self._cold.close()
        self._warm.close()

    def _environment(self, failure: Path, running: Path) -> dict[str, str]:
        return {
            "PYTHONPATH": str(self.folder),
            "MUTANTS_FAILURE": str(failure),
            "MUTANTS_RUNNING": str(running),
        }


@contextmanager
def checkout() -> Iterator[Checkout]:
    """A copy that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="paperboy-mutants-", ignore_cleanup_errors=True) as folder:
        copy = Checkout(Path(folder))
        try:
            yield copy
        finally:
            copy.close()
