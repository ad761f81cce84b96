"""A recipient that is refused while the server already waits for the text costs only that mail."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from delivery.transport.smtp.replies import SmtpError
from tests.support.smtp_messages import message, to


@contextmanager
def server_that_asks_for_the_text_of_a_mail_to_nobody() -> Iterator[tuple[str, list[bytes]]]:
    """A server that refuses the first recipient and takes DATA all the same (RFC 2920, 3.1). It keeps the texts."""
    listener = socket.create_server(("127.0.0.1", 0))
    texts: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        client.settimeout(20)
        with client, client.makefile("rb") as received:
            client.sendall(b"220 eager.test ESMTP\r\n")
            received.readline()
            client.sendall(b"250-eager.test\r\n250 PIPELINING\r\n")
            for rcpt, end in (
                (b"550 5.1.1 No such user", b"554 5.5.1 No recipients"),
                (b"250 Ok", b"250 Ok"),
            ):
                for line in iter(received.readline, b"DATA\r\n"):
                    client.sendall(b"250 Ok\r\n" if line == b"RSET\r\n" else b"")
                client.sendall(b"250 Ok\r\n" + rcpt + b"\r\n354 Go on\r\n")
                lines = list(iter(received.readline, b".\r\n"))
                texts.append(b"".join(lines))
                client.sendall(end + b"\r\n")

    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    yield f"smtp://{host}:{port}", texts
    thread.join(30)
    listener.close()


def test_an_empty_text_ends_a_mail_without_recipients_and_the_next_mail_follows() -> None:
    with server_that_asks_for_the_text_of_a_mail_to_nobody() as (url, texts), to(url) as client:
        with pytest.raises(SmtpError, match="No such user"):
            client.send(message(1))
        client.send(message(2))
    assert texts[0] == b""
    assert b"Subject" in texts[1]
