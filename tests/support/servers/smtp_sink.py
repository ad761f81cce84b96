"""A mail server in a process of its own, which outlives its clients and records each message before its 250."""

import asyncio
import multiprocessing
import os
import re
import signal
import socket
import tempfile
from collections import Counter
from types import TracebackType
from typing import Self

import uvloop

UNKNOWN = "nobody"  # addresses that begin with this are refused as unknown
_MAX_MESSAGE_BYTES = 2**22
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)
_ADDRESS = re.compile(rb"<([^>]*)>")


class Sink:
    """Listens while its context lasts. Afterwards `stored` counts each message of each recipient.

    It offers PIPELINING on every second connection.
    """

    def __init__(self) -> None:
        self.stored: Counter[tuple[str, str]] = Counter()  # by Message-ID and address
        self._record = tempfile.TemporaryFile()  # noqa: SIM115  __exit__ closes it
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host, self.port = self._listener.getsockname()
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(self._listener, self._record.fileno())
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._listener.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()  # it finishes its sessions first
        self._process.join()
        with self._record:
            self._record.seek(0)
            lines = self._record.read().decode().splitlines()
        for line in lines:
            message_id, address = line.split(" ")
            self.stored[message_id, address] += 1


def _serve(listener: socket.socket, record_fd: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_listen(listener, record_fd))


async def _listen(listener: socket.socket, record_fd: int) -> None:
    sessions: set[asyncio.Task[None]] = set()
    count = 0

    def start_session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        session = asyncio.create_task(_Session(reader, writer, record_fd, pipelining=count % 2 == 0).serve())
        sessions.add(session)
        session.add_done_callback(sessions.discard)

    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    server = await asyncio.start_server(start_session, sock=listener, limit=_MAX_MESSAGE_BYTES)
    await is_over.wait()
    server.close()
    await asyncio.gather(*sessions)


class _Session:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record_fd: int, *, pipelining: bool
    ) -> None:
        self._reader, self._writer, self._record_fd = reader, writer, record_fd
        self._extensions = b"250-sink\r\n250-8BITMIME\r\n" + (b"250-PIPELINING\r\n" if pipelining else b"")
        self._address = b""

    async def serve(self) -> None:
        try:
            self._reply(b"220 sink ESMTP")
            while not self._writer.is_closing():
                await self._handle_command(await self._reader.readuntil(b"\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client was killed
        finally:
            self._writer.close()

    async def _handle_command(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._reply(self._extensions + b"250 SIZE 20971520")
        elif verb == b"RCPT":
            self._check_recipient(line)
        elif verb == b"DATA":
            await self._store_message()
        elif verb == b"QUIT":
            self._reply(b"221 2.0.0 Bye")
            self._writer.close()
        elif verb in {b"MAIL", b"RSET"}:
            self._address = b""
            self._reply(b"250 2.0.0 Ok")
        else:
            self._reply(b"500 5.5.1 Unknown command")

    def _check_recipient(self, line: bytes) -> None:
        (address,) = _ADDRESS.findall(line)
        if address.startswith(UNKNOWN.encode()):
            self._reply(b"550 5.1.1 No such user")
        else:
            self._address = address
            self._reply(b"250 2.1.5 Ok")

    async def _store_message(self) -> None:
        if not self._address:
            self._reply(b"503 5.5.1 RCPT first")
            return
        self._reply(b"354 Go ahead")
        message = await self._reader.readuntil(b"\r\n.\r\n")
        (message_id,) = _MESSAGE_ID.findall(message)
        os.write(self._record_fd, message_id + b" " + self._address + b"\n")
        self._reply(b"250 2.0.0 Stored")

    def _reply(self, reply: bytes) -> None:
        self._writer.write(reply + b"\r\n")
