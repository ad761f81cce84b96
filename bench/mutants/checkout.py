"""A copy of the checkout in a temporary folder, in which tests run on changed code."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 15.0  # for pytest to end its servers after an interrupt


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

    @contextmanager
    def changed(self, file: str, source: str) -> Iterator[None]:
        """Replace a file's text as long as the context lasts."""
        path = self.folder / file
        original = path.read_text()
        path.write_text(source)
        try:
            yield
        finally:
            path.write_text(original)

    def run(self, tests: Sequence[str], limit: float, *options: str, **environment: str) -> Run:
        """Run tests until the first failure, and interrupt them after `limit` seconds."""
        names, failure, running = (self.folder / name for name in ("var-tests", "var-failure", "var-running"))
        names.write_text("\n".join(tests))
        failure.unlink(missing_ok=True)
        running.unlink(missing_ok=True)
        plugins = ("-p", "bench.mutants.recorder", "-p", "no:cacheprovider")
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", *plugins, *options, f"@{names}"],
            cwd=self.folder,
            env=os.environ | self._environment(failure, running) | environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        exit_code = _wait(process, limit)
        if exit_code is None or (exit_code == 1 and not failure.exists()):
            return Run(None, running.read_text() if running.exists() else "")
        if failure.exists():
            return Run(exit_code, **json.loads(failure.read_text().replace(f"{self.folder}/", "")))
        return Run(exit_code)

    def _environment(self, failure: Path, running: Path) -> dict[str, str]:
        # A changed file can have the size and the time of the original, so bytecode would hide it.
        return {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MUTANTS_FAILURE": str(failure),
            "MUTANTS_RUNNING": str(running),
        }


@contextmanager
def checkout() -> Iterator[Checkout]:
    """A copy that is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix="paperboy-mutants-", ignore_cleanup_errors=True) as folder:
        yield Checkout(Path(folder))


def _wait(process: "subprocess.Popen[bytes]", limit: float) -> int | None:
    """The exit code. A process that takes too long gets an interrupt, then it is killed with all that it started."""
    deadline = time.monotonic() + limit
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        return None
    finally:
        if time.monotonic() > deadline or process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
