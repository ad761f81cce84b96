"""A real Redis server for tests, on a free port. It stores nothing on disk."""

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
    """Runs while the context lasts. Where redis-server is not installed, the test is skipped."""

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
        """Start the server, and wait until it answers."""
        options = {
            "port": self._port,
            "bind": "127.0.0.1",
            "dir": self._folder,
            "save": "",
            "appendonly": "no",
        }
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(  # noqa: S603  the tests name the program
            [program("redis-server"), *arguments], stdout=subprocess.DEVNULL
        )
        until(self._answers, "Redis")

    def stop(self) -> None:
        """Stop the server, as in an outage. It can be started again."""
        if self._process:
            self._process.terminate()
            self._process.wait()

    def key_names(self) -> list[str]:
        """The names of all counts."""
        with redis.Redis.from_url(self.url) as client:
            return sorted(key.decode() for key in client.scan_iter())

    def _answers(self) -> bool:
        with suppress(redis.RedisError), redis.Redis.from_url(self.url) as client:
            return bool(client.ping())
        return False
