"""A real Redis for tests, on a free port, which keeps nothing."""

import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import redis

from tests.support.programs import program
from tests.support.site import until


class RedisServer:
    """Runs while the context lasts; without redis-server the test is skipped."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._folder = Path(tempfile.mkdtemp(prefix="paperboy-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def __enter__(self) -> "RedisServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Begin to answer."""
        options = {
            "port": self._port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "save": "",
            "appendonly": "no",
        }
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(  # noqa: S603 (the tests name the program)
            [program("redis-server"), *arguments], stdout=subprocess.DEVNULL
        )
        until(self._answers, "Redis")

    def stop(self) -> None:
        """Be away."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    def counted(self) -> list[str]:
        """The names of all that is counted."""
        with redis.Redis.from_url(self.url) as client:
            return sorted(key.decode() for key in client.scan_iter())

    def _answers(self) -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False
