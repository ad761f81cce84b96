"""A mail server in a process of its own that survives its clients: it notes each message before its 250."""

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

UNKNOWN = "nobody"  # what addresses begin with that it does not know
_LONGEST = 2**22  # bytes of a message
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)
_ADDRESS = re.compile(rb"<([^>]*)>")


class Sink:
    """Listens while its context lasts, then `stored` tells how often it holds which message for whom.

    Every second connection is offered PIPELINING.
    """

    def __init__(self) -> None:
        self.stored: Counter[tuple[str, str]] = Counter()  # by Message-ID and address
        self._notes = tempfile.TemporaryFile()  # noqa: SIM115  closed with the context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host, self.port = self._listener.getsockname()
        self._process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(self._listener, self._notes.fileno())
        )

    def __enter__(self) -> Self:
        self._process.start()
        self._listener.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()  # it hears its sessions out first
        self._process.join()
        with self._notes:
            self._notes.seek(0)
            notes = self._notes.read().decode().splitlines()
        for note in notes:
            message_id, address = note.split(" ")
            self.stored[message_id, address] += 1


def _serve(listener: socket.socket, notes: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_listen(listener, notes))


async def _listen(listener: socket.socket, notes: int) -> None:
    sessions: set[asyncio.Task[None]] = set()
    count = 0

    def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        session = asyncio.create_task(_Session(reader, writer, notes, pipelining=count % 2 == 0).lease())
        sessions.add(session)
        session.add_done_callback(sessions.discard)

    is_over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_over.set)
    server = await asyncio.start_server(welcome, sock=listener, limit=_LONGEST)
    await is_over.wait()
    server.close()
    await asyncio.gather(*sessions)


class _Session:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, notes: int, *, pipelining: bool
    ) -> None:
        self._reader, self._writer, self._notes = reader, writer, notes
        self._offers = b"250-sink\r\n250-8BITMIME\r\n" + (b"250-PIPELINING\r\n" if pipelining else b"")
        self._address = b""

    async def lease(self) -> None:
        try:
            self._say(b"220 sink ESMTP")
            while not self._writer.is_closing():
                await self._obey(await self._reader.readuntil(b"\r\n"))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client was killed
        finally:
            self._writer.close()

    async def _obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self._say(self._offers + b"250 SIZE 20971520")
        elif verb == b"RCPT":
            self._hear_address(line)
        elif verb == b"DATA":
            await self._take_message()
        elif verb == b"QUIT":
            self._say(b"221 2.0.0 Bye")
            self._writer.close()
        elif verb in {b"MAIL", b"RSET"}:
            self._address = b""
            self._say(b"250 2.0.0 Ok")
        else:
            self._say(b"500 5.5.1 Unknown command")

    def _hear_address(self, line: bytes) -> None:
        (address,) = _ADDRESS.findall(line)
        if address.startswith(UNKNOWN.encode()):
            self._say(b"550 5.1.1 No such user")
        else:
            self._address = address
            self._say(b"250 2.1.5 Ok")

    async def _take_message(self) -> None:
        if not self._address:
            self._say(b"503 5.5.1 RCPT first")
            return
        self._say(b"354 Go ahead")
        message = await self._reader.readuntil(b"\r\n.\r\n")
        (message_id,) = _MESSAGE_ID.findall(message)
        os.write(self._notes, message_id + b" " + self._address + b"\n")
        self._say(b"250 2.0.0 Stored")

    def _say(self, reply: bytes) -> None:
        self._writer.write(reply + b"\r\n")
