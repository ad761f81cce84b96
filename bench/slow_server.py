"""Throughput with a mail server that answers every command late; run it with `PYTHONPATH=.:bench`.

What bounds the speed then is how many answers are waited for at once: it should grow with the connections of
a sender, and with the senders on PostgreSQL.
"""

import argparse
import asyncio
import multiprocessing
import sys
import time

from bench.stage import add_readers, databases, emptied, figures_of, free_port, plan_all, sender

DELAY = 0.05  # seconds before every answer
MAILS_EACH = 60  # of a connection


class SlowServer(asyncio.Protocol):
    """Takes every mail, and answers each command in order, `DELAY` after the one before or its arrival."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport, self._rest, self._is_text = transport, b"", False
        self._free_at = 0.0
        self._answer(b"220 slow.example ESMTP")

    def data_received(self, data: bytes) -> None:
        """Answer each whole line, and the end of each text."""
        self._rest += data
        while True:
            end = b"\r\n.\r\n" if self._is_text else b"\r\n"
            line, found, rest = self._rest.partition(end)
            if not found:
                return
            self._rest = rest
            self._obey(line)

    def _obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        if self._is_text or verb in {b"MAIL", b"RCPT", b"RSET"}:
            self._is_text = False
            self._answer(b"250 2.0.0 Ok")
        elif verb == b"EHLO":
            self._answer(b"250-slow.example\r\n250 PIPELINING")
        elif verb == b"DATA":
            self._is_text = True
            self._answer(b"354 Go on")
        else:
            self._answer(b"221 Bye")

    def _answer(self, reply: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time()) + DELAY
        loop.call_at(self._free_at, self._transport.write, reply + b"\r\n")


def serve(port: int) -> None:
    """What the server's process does."""

    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(SlowServer, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(forever())


def mails_per_second(url: str, port: int, connections: int, senders: int) -> float:
    """Send with so many connections of so many senders."""
    database = emptied(url)
    mails = MAILS_EACH * connections * senders
    add_readers(database, mails)
    plan_all(database)
    database.engine.dispose()
    at_work = [sender(url, port, connections) for _ in range(senders)]
    return mails / max(figures_of(process).seconds for process in at_work)


def main() -> None:
    """Measure more and more connections, then more and more senders."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    port = free_port()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    time.sleep(1)
    with databases() as urls:
        for kind, url in urls.items():
            cases = [(connections, 1) for connections in (1, 2, 4, 8)]
            cases += [(4, senders) for senders in (2, 4)] if kind == "postgresql" else []
            one = 0.0
            for connections, senders in cases:
                limits = mails_per_second(url, port, connections, senders)
                one = one or limits
                share = limits / one / connections / senders
                sys.stdout.write(
                    f"{kind:11} {senders} senders of {connections} connections  {limits:6.1f} mails/s  "
                    f"{share:4.2f} of linear\n"
                )
                sys.stdout.flush()
    server.terminate()


if __name__ == "__main__":
    main()
