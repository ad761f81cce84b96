"""Runs a coroutine so that a signal ends it at a good moment: it is cancelled, and decides itself when to stop.

Signal handlers run in the main thread, and those of Ctrl-C, of the command line (SIGTERM) and of Prefect raise an
exception there, wherever the thread is. So the main thread only waits, and the coroutine runs in another one. The
handlers stay as they are: Prefect takes a run for crashed, not for cancelled, if another one has replaced its own.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. If a signal handler raises an exception, the coroutine is cancelled.

    The exception is raised when the coroutine has ended. A second Ctrl-C does not wait for that.
    """
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    task = runner.get_loop().create_task(work)
    if threading.current_thread() is threading.main_thread():
        _run_in_thread(runner, task)
    else:  # no signal handler runs here
        _run(runner, task)
    return task.result()


def _run(runner: asyncio.Runner, task: "asyncio.Task[T]") -> None:
    with runner, suppress(BaseException):  # the task keeps its result or error
        runner.get_loop().run_until_complete(task)


def _run_in_thread(runner: asyncio.Runner, task: "asyncio.Task[T]") -> None:
    has_ended = threading.Event()

    def run() -> None:
        try:
            _run(runner, task)
        finally:
            has_ended.set()

    # A daemon thread does not keep a process alive that a second Ctrl-C must end.
    thread = threading.Thread(target=run, name="sender", daemon=True)
    # From its start on, the thread must be waited for, so no signal may come in between.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    thread.start()
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        has_ended.wait()
    except BaseException:
        with suppress(RuntimeError):  # the loop is closed already
            runner.get_loop().call_soon_threadsafe(task.cancel)
        _wait_patiently(has_ended)
        with suppress(asyncio.CancelledError):
            task.result()
        raise


def _wait_patiently(has_ended: threading.Event) -> None:
    """Wait for the end, even if SIGTERM comes again: systemd sends it to Prefect's worker and to its runs."""
    while not has_ended.is_set():
        try:
            has_ended.wait()
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001, S112  the exception of the first signal is raised in the end
            continue
