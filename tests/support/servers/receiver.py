"""A mail server at the end of the way: it takes mails by SMTP, checks their DKIM signature, and puts them into an inbox."""

from collections.abc import Callable

import dkim

from tests.support.servers.smtp import Message, ScriptedServer

AUTHSERV_ID = "mx.paperboy.example"
Change = Callable[[bytes], bytes]


class Receiver(ScriptedServer):
    """Listens while its context lasts. It gives each mail to `deliver`, with its results on top.

    `public_key` is the record that stands in the DNS, `spf` what it finds about the sending host, and `on_the_way` what
    others do to a mail before it comes here.
    """

    def __init__(self, deliver: Callable[[bytes], object], public_key: str) -> None:
        self.deliver, self.public_key = deliver, public_key
        self.spf = "pass"
        self.on_the_way: Change = lambda mail: mail
        super().__init__(on_body=self._receive)

    def _receive(self, message: Message) -> None:
        mail = self.on_the_way(message.data)
        domain = message.envelope_from.rpartition("@")[2]
        results = [f"dkim={self._dkim(mail)} (of the test) header.d={domain} header.s=paperboy"]
        results += [f"spf={self.spf} smtp.mailfrom={message.envelope_from}"]
        results += [f"dmarc={'pass' if 'pass' in ' '.join(results) else 'fail'} header.from={domain}"]
        field = f"Authentication-Results: {AUTHSERV_ID};\r\n\t" + ";\r\n\t".join(results)
        self.deliver(f"{field}\r\nReceived: from relay.example by {AUTHSERV_ID}\r\n".encode() + mail)

    def _dkim(self, mail: bytes) -> str:
        if b"DKIM-Signature:" not in mail:
            return "none"
        try:
            is_valid = dkim.verify(mail, dnsfunc=lambda _name, timeout=0: self.public_key.encode())  # noqa: ARG005
        except dkim.DKIMException:
            is_valid = False
        return "pass" if is_valid else "fail"
