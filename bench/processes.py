"""What the benchmarks share: work in a process of its own, the memory and time that it takes, and other programs.

A new process measures nothing but its own work: it has loaded nothing before, and its peak memory starts at zero.
"""

import contextlib
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from bench.databases import SLOT, open_existing
from delivery.context import SendingContext, SendingLimits
from delivery.sender import send_due
from delivery.transport.pool import SmtpPool
from delivery.transport.smtp.server import SmtpServer
from emails.mime.dkim_keys import load_signer
from tests.support.factories import IDENTITY

NEW_PROCESS = multiprocessing.get_context("spawn")  # it finds modules where its parent does

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Usage:
    """What a process used: wall-clock and processor time, and memory at its peak."""

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def median_usage(measured: Sequence[Usage]) -> Usage:
    """The median times of several runs, and the most memory that one of them held."""
    return Usage(
        statistics.median(usage.seconds for usage in measured),
        statistics.median(usage.cpu_seconds for usage in measured),
        max(usage.peak_megabytes for usage in measured),
    )


def show(line: str) -> None:
    """Print a line at once, even into a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def in_new_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a process of its own, and return its result."""
    with ProcessPoolExecutor(1, mp_context=NEW_PROCESS) as pool:
        return pool.submit(function, *args, **kwargs).result()


def peak_megabytes() -> float:
    """The most memory that this process has held. (`ru_maxrss` would include its parent's, from before exec.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


def plain_server(port: int) -> SmtpServer:
    """A server on this machine, without TLS and without a login."""
    return SmtpServer("127.0.0.1", port, "none")


def run_senders(
    count: int, url: str, server: SmtpServer, connections: int, dkim_key: Path | None = None
) -> list[Usage]:
    """Send everything that is planned, with several senders at once, each in a process of its own."""
    with ProcessPoolExecutor(count, mp_context=NEW_PROCESS) as pool:
        running = [pool.submit(_send_all, url, server, connections, dkim_key) for _ in range(count)]
        return [sender.result() for sender in running]


def _send_all(url: str, server: SmtpServer, connections: int, dkim_key: Path | None) -> Usage:
    signer = load_signer(["paperboy"], [dkim_key]) if dkim_key else None
    limits, identity = SendingLimits(connections), replace(IDENTITY, signer=signer)
    context = SendingContext(
        open_existing(url), SmtpPool([server]), identity, lambda: datetime.now(UTC), limits
    )
    start, cpu_start = time.perf_counter(), time.process_time()
    result = send_due(context, SLOT, repeat_uncertain=True)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    if result.stopped:
        sys.exit(result.stopped)
    return Usage(seconds, cpu_seconds, peak_megabytes())


@contextlib.contextmanager
def program_listening(command: list[str], port: int) -> Iterator[None]:
    """Run a program that listens on the port. It is ready when the context begins."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode} instead of listening")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        return int(reserved.getsockname()[1])
