"""A real Postfix with strict settings, on loopback and in a folder of its own. It discards the mails that it accepts."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

POSTFIX = shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin")
IS_AVAILABLE = POSTFIX is not None and os.geteuid() == 0  # its master process must run as root
TIMEOUT_SECONDS = 60

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = strict.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
default_transport = discard
relay_transport = discard
smtputf8_enable = yes
message_size_limit = 20480000
smtpd_helo_required = yes
smtpd_helo_restrictions = reject_invalid_helo_hostname
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions = reject_non_fqdn_sender
smtpd_recipient_restrictions = reject_non_fqdn_recipient, permit_mynetworks, reject
smtpd_data_restrictions = reject_unauth_pipelining, reject_multi_recipient_bounce
smtpd_forbid_bare_newline = reject
smtpd_forbid_unauth_pipelining = yes
strict_rfc821_envelopes = yes
strict_7bit_headers = yes
strict_8bitmime_body = yes
strict_mime_encoding_domain = yes
disable_vrfy_command = yes
smtpd_tls_security_level = none
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A running server, and the log that it writes."""

    host: str
    port: int
    log: Path

    def wait_for(self, count: int) -> list[str]:
        """Wait until the server has delivered this many mails, and return their recipients."""
        end = time.monotonic() + TIMEOUT_SECONDS
        while True:
            delivered = re.findall(r"to=<([^>]+)>,.* relay=none.*status=sent", self.log.read_text())
            if len(delivered) >= count or time.monotonic() > end:
                return delivered
            time.sleep(0.05)

    def protocol_errors(self) -> list[str]:
        """The lines of the log about the client's mistakes. Warnings about the machine, such as its clock, do not count."""
        pattern = re.compile(
            r"smtpd\[\d+\]: warning:|reject:|improper|error:|fatal:|lost connection|too many errors"
        )
        return [line for line in self.log.read_text().splitlines() if pattern.search(line)]


@contextlib.contextmanager
def postfix() -> Iterator[Postfix]:
    """Run a server while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="paperboy-postfix-"))
    folder.chmod(0o755)
    for name in ("etc", "queue", "data", "log"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder))
    (folder / "etc/master.cf").write_text(_MASTER.format(port=port))
    command = [str(POSTFIX), "-c", str(folder / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)  # noqa: S603  the arguments are our own
    try:
        _wait_until_listening(port)
        yield Postfix("127.0.0.1", port, folder / "log/mail.log")
    finally:
        subprocess.run([*command, "stop"], check=True, capture_output=True)  # noqa: S603
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_listening(port: int) -> None:
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as client:
            assert client.recv(4).startswith(b"220")
            client.sendall(b"QUIT\r\n")
            client.recv(100)
            return
        time.sleep(0.05)
