"""The `paperboy` command as a process of its own, which a test can interrupt."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers.smtp import ScriptedServer

ROOT = Path(__file__).parents[2]
CONNECTIONS = 4
# A shell that runs the tests in the background lets them, and the commands that they start, ignore Ctrl-C.
LISTEN_TO_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
RUN = f"{LISTEN_TO_CTRL_C}import sys; from paperboy.cli.main import main; sys.argv[0] = 'paperboy'; "


class Command:
    """A running command. `end` waits for it, and returns its exit code and what it wrote on standard error."""

    def __init__(
        self, folder: Path, settings: dict[str, str], arguments: tuple[str, ...], before: str = ""
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603  the tests name the arguments
            [sys.executable, "-c", f"{RUN}{before}\nmain()", *arguments],
            cwd=folder,
            env=os.environ | settings | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def signal(self, *numbers: int) -> None:
        for number in numbers:
            self._process.send_signal(number)

    def end(self, timeout: float = 60) -> tuple[int, str]:
        _, errors = self._process.communicate(timeout=timeout)
        return self._process.returncode, errors

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stderr:
            self._process.stderr.close()


@contextmanager
def running(
    folder: Path, database_url: str, server: ScriptedServer, *arguments: str, before: str = ""
) -> Iterator[Command]:
    """Run a command that mails to the server. `before` is Python that its process runs first."""
    settings = {
        "PAPERBOY_DATABASE_URL": database_url,
        "PAPERBOY_SMTP_URL": f"smtp://{server.host}:{server.port}",
        "PAPERBOY_CONNECTIONS": str(CONNECTIONS),
    }
    command = Command(folder, settings, arguments, before)
    try:
        yield command
    finally:
        command.kill()
