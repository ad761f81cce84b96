"""Measures mails per second with a mail server that answers every command late.

Run it with `python -m bench.slow_server`. The speed then depends on how many answers are awaited at once. It should
grow in proportion to the connections of a sender and, on PostgreSQL, to the senders; the ratio compares it with one
connection of one sender on the same database, where 1 is that proportion.
"""

import argparse
import asyncio
import multiprocessing
import time

from bench.databases import add_subscribers, databases, open_empty, plan_all
from bench.processes import free_port, plain_server, run_senders, show

DELAY_SECONDS = 0.05  # before every answer
CONNECTIONS = (1, 2, 4, 8)  # of one sender
SENDERS = (2, 4)  # with CONNECTIONS_OF_EACH, on PostgreSQL
CONNECTIONS_OF_EACH = 4


class SlowServer(asyncio.Protocol):
    """Accepts every mail. It answers commands in order, each one `DELAY_SECONDS` after its arrival or the last answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport, self._buffer, self._is_in_text = transport, b"", False
        self._answered_at = 0.0
        self._answer(b"220 slow.example ESMTP")

    def data_received(self, data: bytes) -> None:
        """Answer each complete command, and each complete text."""
        self._buffer += data
        while True:
            end = b"\r\n.\r\n" if self._is_in_text else b"\r\n"
            command, found, rest = self._buffer.partition(end)
            if not found:
                return
            self._buffer = rest
            self._handle(command)

    def _handle(self, command: bytes) -> None:
        verb = command[:4].upper()
        if self._is_in_text or verb in {b"MAIL", b"RCPT", b"RSET"}:
            self._is_in_text = False
            self._answer(b"250 2.0.0 Ok")
        elif verb == b"EHLO":
            self._answer(b"250-slow.example\r\n250 PIPELINING")
        elif verb == b"DATA":
            self._is_in_text = True
            self._answer(b"354 Go on")
        else:
            self._answer(b"221 Bye")

    def _answer(self, reply: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._answered_at = max(self._answered_at, loop.time()) + DELAY_SECONDS
        loop.call_at(self._answered_at, self._transport.write, reply + b"\r\n")


def serve(port: int) -> None:
    """Run the server until its process is terminated."""

    async def serve_forever() -> None:
        server = await asyncio.get_running_loop().create_server(SlowServer, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(serve_forever())


def mails_per_second(url: str, port: int, mails: int, connections: int, senders: int) -> float:
    """Send the mails with this many senders, each with this many connections."""
    database = open_empty(url)
    add_subscribers(database, mails)
    plan_all(database)
    database.engine.dispose()
    return mails / max(usage.seconds for usage in run_senders(senders, url, plain_server(port), connections))


def main() -> None:
    """Measure more and more connections, then more and more senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=60, help="of each connection")
    mails = parser.parse_args().mails
    port = free_port()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    time.sleep(1)
    with databases() as urls:
        for kind, url in urls.items():
            cases = [(connections, 1) for connections in CONNECTIONS]
            if kind == "PostgreSQL":
                cases += [(CONNECTIONS_OF_EACH, senders) for senders in SENDERS]
            base = 0.0
            for connections, senders in cases:
                total_connections = connections * senders
                speed = mails_per_second(url, port, mails * total_connections, connections, senders)
                base = base or speed
                show(
                    f"{kind:10}  senders: {senders}  connections of each: {connections}  {speed:6.1f} mails/s  "
                    f"{speed / base / total_connections:4.2f} of proportional"
                )
    server.terminate()


if __name__ == "__main__":
    main()
