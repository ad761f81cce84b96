"""Fixtures of ingests: the project's own forum, and the shared one of CI."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from paperboy.demo.sample.forum import Forum


@pytest.fixture
def forum() -> Iterator[Forum]:
    """The project's own forum, running."""
    with Forum() as running:
        yield running


@pytest.fixture
def shared(shared_forum: Path) -> Iterator[Any]:
    """The running server of the shared forum."""
    spec = importlib.util.spec_from_file_location("shared_forum_serve", shared_forum / "serve.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    server = module.Server(0, shared_forum / "site", quiet=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
