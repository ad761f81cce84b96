"""Measures what a login over STARTTLS costs, and what our own DKIM signatures cost, compared with neither.

Run it with `python -m bench.protection`. Each run sends the same number of mails over ten connections to the same
server, in turn plain, over STARTTLS with AUTH, and signed with an RSA key of 2048 bits. Ratios compare the medians.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.databases import add_subscribers, databases, open_empty, plan_all
from bench.processes import Usage, free_port, median_usage, plain_server, program_listening, run_senders, show
from delivery.transport.smtp.server import SmtpServer

CONNECTIONS = 10
HOST = "localhost"


def send_all(url: str, mails: int, server: SmtpServer, dkim_key: Path | None) -> Usage:
    """Send the mails in a process of its own."""
    database = open_empty(url)
    add_subscribers(database, mails)
    plan_all(database)
    database.engine.dispose()
    (usage,) = run_senders(1, url, server, CONNECTIONS, dkim_key)
    return usage


def make_files(folder: Path) -> tuple[Path, Path, Path]:
    """The certificate of an authority, a certificate of the server with its key, and a DKIM key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "dkim.pem").write_bytes(pem)
    return folder / "ca.pem", folder / "server.pem", folder / "dkim.pem"


def measure(
    kind: str, url: str, mails: int, runs: int, cases: dict[str, tuple[SmtpServer, Path | None]]
) -> None:
    """Send in each way in each run, and print the medians."""
    usages: dict[str, list[Usage]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, (server, key) in cases.items():
            usages[name].append(send_all(url, mails, server, key))
    plain = median_usage(usages["plain"])
    for name, measured in usages.items():
        usage = median_usage(measured)
        show(
            f"{kind:10}  {name:18} {mails / usage.seconds:6.0f} mails/s  {plain.seconds / usage.seconds:4.2f} of plain  "
            f"{usage.cpu_seconds / mails * 1000:5.3f} CPU s per 1,000 mails"
        )


def main() -> None:
    """Measure each way on each kind of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, databases() as urls:
        ca_file, certificate, dkim_key = make_files(Path(folder))
        port = free_port()
        protected = SmtpServer(
            HOST,
            port,
            "starttls",
            user="paperboy",
            password="secret",  # noqa: S106  of no account
            ca_file=str(ca_file),
        )
        cases: dict[str, tuple[SmtpServer, Path | None]] = {
            "plain": (plain_server(port), None),
            "STARTTLS with AUTH": (protected, None),
            "DKIM": (plain_server(port), dkim_key),
        }
        command = [sys.executable, "-m", "bench.tls_sink", str(port), str(certificate)]
        with program_listening(command, port):
            for kind, url in urls.items():
                measure(kind, url, arguments.mails, arguments.runs, cases)


if __name__ == "__main__":
    main()
