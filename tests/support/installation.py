"""A healthy installation on loopback for tests of the doctor. Its servers are real, and each can be made to fail."""

import base64
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copy
from socketserver import BaseRequestHandler, ThreadingUDPServer
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest
import trustme
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from core.run_log import RunKind, record_run
from core.schema import open_database
from core.version import installed_version
from delivery.transport.smtp import connection
from issues.models import Feed
from monitoring.findings import Finding
from paperboy.demo.sample.topics import ForumState, feed_xml, published_topics
from paperboy.doctor import checkup
from paperboy.doctor.tls import tls_context
from tests.support.servers.smtp import ScriptedServer
from tests.support.servers.threaded import Served

ROOT = Path(__file__).resolve().parents[2]
LOGIN = ("paperboy", "secret-password")
SENDS_FROM = "203.0.113.7"
SPF, DKIM, DMARC = (
    ("paperboy.example", "TXT"),
    ("paperboy._domainkey.paperboy.example", "TXT"),
    ("_dmarc.paperboy.example", "TXT"),
)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]

Answer = tuple[int, str]  # the status and the body of an HTTP response


def public_key(key: rsa.RSAPrivateKey) -> str:
    """The DKIM record with the public part of a key (RFC 6376, 3.6.1)."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def private_key(key: rsa.RSAPrivateKey) -> bytes:
    """The PEM file of a key."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class WebServer(Served):
    """An HTTP server that runs while its context lasts. `answers` has its responses by path; others get `other_answer`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.other_answer: Answer = (404, "{}")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    owner: WebServer

    def do_GET(self) -> None:
        status, body = self.owner.answers.get(self.path, self.owner.other_answer)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_POST = do_HEAD = do_GET  # noqa: N815  http.server prescribes the names

    def log_message(self, *_arguments: Any) -> None:
        """Log nothing."""


class NameServer(Served):
    """A DNS server on UDP that runs while its context lasts.

    `records` has the records by name and type. Every response has the code `rcode`.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.rcode = dns.rcode.NOERROR
        self._server = ThreadingUDPServer(("127.0.0.1", 0), type("Handler", (_DnsHandler,), {"owner": self}))
        self.resolver = dns.resolver.Resolver(configure=False)
        self.resolver.nameservers = ["127.0.0.1"]
        self.resolver.port = self._server.server_address[1]


class _DnsHandler(BaseRequestHandler):
    owner: NameServer

    def handle(self) -> None:
        data, socket = self.request
        query = dns.message.from_wire(data)
        response = dns.message.make_response(query)
        (question,) = query.question
        record_type = dns.rdatatype.to_text(question.rdtype)
        found = self.owner.records.get((question.name.to_text(omit_final_dot=True), record_type), [])
        response.set_rcode(self.owner.rcode)
        if found:
            texts = [_quoted(value) if record_type == "TXT" else value for value in found]
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", record_type, *texts))
        socket.sendto(response.to_wire(), self.client_address)


def _quoted(text: str) -> str:
    """The text of a TXT record in strings of at most 255 bytes (RFC 1035, 3.3)."""
    return " ".join(f'"{string}"' for string in re.findall(".{1,255}", text))


@dataclass
class Installation:
    """An installation with its servers. Tests plant a fault in it and then run the doctor."""

    folder: Path
    environment: pytest.MonkeyPatch
    authority: trustme.CA
    forum: WebServer
    prefect: WebServer
    pages: WebServer
    dns: NameServer
    mail_server: ScriptedServer
    clock_offset: timedelta = field(default_factory=timedelta)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def database(self) -> Path:
        """The file of the SQLite database."""
        return self.folder / "paperboy.db"

    def set_setting(self, name: str, value: object) -> None:
        """Change the setting `PAPERBOY_{name}`."""
        self.environment.setenv(f"PAPERBOY_{name}", str(value))

    def execute_sql(self, statement: str) -> None:
        """Execute a statement on the database."""
        opened = open_database(f"sqlite:///{self.database}")
        with opened.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        opened.engine.dispose()

    def change_deployment(self, name: str, **fields: Any) -> None:
        """Change fields of a deployment on the Prefect server."""
        path = f"/api/deployments/name/{name}"
        self.prefect.answers[path] = 200, json.dumps(json.loads(self.prefect.answers[path][1]) | fields)

    def server_tls(self, *names: str, **options: Any) -> ssl.SSLContext:
        """The TLS context of a server with a certificate for these names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names, **options).configure_cert(context)
        return context

    def replace_mail_server(self, **options: Any) -> None:
        """Start another mail server and name it in the settings."""
        server = self.stack.enter_context(ScriptedServer(**options))
        self.set_setting("SMTP_URL", smtp_url(server, self.folder / "ca.pem"))

    def run_doctor(self, **options: str) -> list[Finding]:
        """The findings of the doctor."""
        offset = self.clock_offset
        return checkup.run_checkup(
            lambda: datetime.now(UTC) + offset, sends_from=SENDS_FROM, resolver=self.dns.resolver, **options
        )


# It is long because it starts every server that an installation has.
@contextmanager
def healthy_installation(
    folder: Path, template: Path, environment: pytest.MonkeyPatch, authority: trustme.CA, ca_file: Path
) -> Iterator[Installation]:
    """An installation in which every finding of the doctor is ok."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with ExitStack() as stack:
        forum, prefect, pages = (stack.enter_context(WebServer(context)) for context in (None, None, tls))
        name_server = stack.enter_context(NameServer())
        mail_server = stack.enter_context(ScriptedServer(tls=tls, require_starttls=True, login=LOGIN))
        forum.answers["/feed.rss"] = (
            200,
            feed_xml(published_topics(ForumState(weeks=1), forum.url), forum.url),
        )
        pages.answers["/health"] = 200, '{"status":"ok"}'
        pages.answers["/api/openapi.json"] = 200, f'{{"info": {{"version": "{installed_version()}"}}}}'
        prefect.answers.update(_prefect_answers())
        name_server.records.update(_dns_records())
        environment.chdir(folder)
        copy(ROOT / "prefect.yaml", folder)
        installation = Installation(
            folder, environment, authority, forum, prefect, pages, name_server, mail_server, stack=stack
        )
        copy(ca_file, folder / "ca.pem")
        copy(template, installation.database)
        _record_runs(installation.database, forum.url)
        (folder / "dkim.pem").write_bytes(private_key(KEY))
        (folder / "var").mkdir()
        (folder / "var" / "secret_key").write_bytes(b"0123456789abcdef")
        (folder / "var" / "secret_key").chmod(0o600)
        environment.setenv("SSL_CERT_FILE", str(ca_file))
        # The TLS contexts are cached, and would still trust the certificates of another test.
        for cached_context in (tls_context, connection._tls_context):
            cached_context.cache_clear()
            stack.callback(cached_context.cache_clear)
        environment.setenv("PREFECT_API_URL", f"{prefect.url}/api")
        for name, value in {
            "DATABASE_URL": f"sqlite:///{installation.database}",
            "FEED_URL": f"{forum.url}/feed.rss",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SMTP_URL": smtp_url(mail_server, ca_file),
            "SENDER": "Paperboy <news@paperboy.example>",
            "BASE_URL": pages.url,
            "OPERATOR": "op@paperboy.example",
            "DKIM_KEY_FILE": folder / "dkim.pem",
        }.items():
            installation.set_setting(name, value)
        yield installation


def smtp_url(server: ScriptedServer, ca_file: Path) -> str:
    """The value of PAPERBOY_SMTP_URL for a mail server."""
    return f"smtp://{':'.join(LOGIN)}@{server.host}:{server.port}?ca={ca_file}"


def _record_runs(database: Path, forum: str) -> None:
    """Record that every schedule has just run."""
    opened, now = open_database(f"sqlite:///{database}"), datetime.now(UTC)
    with opened.sessions.begin() as session:
        session.add(Feed(url=forum, fetched_at=now))
        for kind in (RunKind.DIGEST, RunKind.UPKEEP):
            record_run(session, kind, {}, now)
    opened.engine.dispose()


def _prefect_answers() -> dict[str, Answer]:
    """The responses of a Prefect server to which everything in prefect.yaml was deployed, in Seoul's time."""
    answers: dict[str, Any] = {
        "/api/health": True,
        "/api/work_pools/paperboy": {"name": "paperboy"},
        "/api/work_pools/paperboy/workers/filter": [{"name": "one", "status": "ONLINE"}],
        "/api/flow_runs/filter": [{"name": "tomorrow's"}],
        "/api/flow_runs/count": 0,
    }
    for deployment in DEPLOYMENTS:
        name = f"{deployment['entrypoint'].rpartition(':')[2]}/{deployment['name']}"
        schedules = [
            {"active": True, "schedule": schedule | {"timezone": "Asia/Seoul"}}
            for schedule in deployment.get("schedules", [])
        ]
        answers[f"/api/deployments/name/{name}"] = {
            "entrypoint": deployment["entrypoint"],
            "paused": False,
            "schedules": schedules,
        }
    return {path: (200, json.dumps(answer)) for path, answer in answers.items()}


def _dns_records() -> dict[tuple[str, str], list[str]]:
    return {
        SPF: ["something else", f"v=spf1 mx ip4:{SENDS_FROM} -all"],
        ("paperboy.example", "MX"): ["10 mail.paperboy.example."],
        ("mail.paperboy.example", "A"): [SENDS_FROM],
        DKIM: [public_key(KEY)],
        DMARC: ["v=DMARC1; p=reject"],
        ("7.113.0.203.in-addr.arpa", "PTR"): ["mail.paperboy.example."],
    }
