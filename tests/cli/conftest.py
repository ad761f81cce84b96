"""Fixtures for the `paperboy` command: running it in this process, on the sample forum and the embedded mailbox."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paperboy.cli.main import main
from paperboy.demo.sample.forum import Forum
from tests.cli.runner import Paperboy


@pytest.fixture
def run_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Paperboy:
    """A function that runs `paperboy` in an empty folder. It returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["paperboy", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = (stream.decode() for stream in capsysbinary.readouterr())
        code = ended.value.code
        if isinstance(code, str):  # a message of sys.exit, which the interpreter would print
            return 1, out, err + code
        return code or 0, out, err

    return run


@pytest.fixture
def forum() -> Iterator[Forum]:
    """The sample forum."""
    with Forum() as running:
        yield running


@pytest.fixture
def paperboy(
    forum: Forum, database_url: str, run_command: Paperboy, monkeypatch: pytest.MonkeyPatch
) -> Paperboy:
    """Runs `paperboy` with a database of each kind, the sample forum and the embedded mailbox."""
    monkeypatch.setenv("PAPERBOY_DATABASE_URL", database_url)
    monkeypatch.setenv("PAPERBOY_FEED_URL", forum.feed_url)
    monkeypatch.setenv("PAPERBOY_ALLOWED_HOSTS", "127.0.0.1")
    return run_command
