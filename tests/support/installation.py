"""A healthy installation on loopback for the doctor to look at: every server real, each with a way to fall ill."""

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

from core.database import open_database
from core.run_log import record
from delivery.transport.smtp import connection
from issues.models import Feed
from paperboy.demo.sample.topics import State, feed_xml, published_topics
from paperboy.doctor import checkup
from paperboy.doctor.findings import Finding
from paperboy.doctor.trust import trusted
from tests.support.servers.smtp import ScriptedServer
from tests.support.servers.threaded import Served

ROOT = Path(__file__).resolve().parents[1]
LOGIN = ("paperboy", "secret-password")
SENDS_FROM = "203.0.113.7"
SPF, DKIM, DMARC = (
    ("paperboy.example", "TXT"),
    ("paperboy._domainkey.paperboy.example", "TXT"),
    ("_dmarc.paperboy.example", "TXT"),
)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]

Answer = tuple[int, str]


def public_key(key: rsa.RSAPrivateKey) -> str:
    """The DKIM record of a key."""
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


class WebServer(Served):
    """Answers by path while its context lasts: `answers` holds status and body, 404 for anything else."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    owner: WebServer

    def do_GET(self) -> None:
        status, body = self.owner.answers.get(self.path, (404, "{}"))
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    do_POST = do_HEAD = do_GET  # noqa: N815  named as http.server names them

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


class NameServer(Served):
    """A DNS server on UDP while its context lasts: `records` by name and kind; `rcode` answers everything."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.rcode = dns.rcode.NOERROR
        self._server = ThreadingUDPServer(("127.0.0.1", 0), type("Asked", (_Asked,), {"owner": self}))
        self.resolver = dns.resolver.Resolver(configure=False)
        self.resolver.nameservers = ["127.0.0.1"]
        self.resolver.port = self._server.server_address[1]


class _Asked(BaseRequestHandler):
    owner: NameServer

    def handle(self) -> None:
        data, socket = self.request
        asked = dns.message.from_wire(data)
        answer = dns.message.make_response(asked)
        (question,) = asked.question
        kind = dns.rdatatype.to_text(question.rdtype)
        found = self.owner.records.get((question.name.to_text(omit_final_dot=True), kind), [])
        answer.set_rcode(self.owner.rcode)
        if found:
            texts = [_quoted(value) if kind == "TXT" else value for value in found]
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *texts))
        socket.sendto(answer.to_wire(), self.client_address)


def _quoted(text: str) -> str:
    """A text in pieces of at most 255 bytes (RFC 1035, 3.3)."""
    return " ".join(f'"{piece}"' for piece in re.findall(".{1,255}", text))


@dataclass
class Installation:
    """Where everything is; tests make it ill, then ask the doctor."""

    folder: Path
    environment: pytest.MonkeyPatch
    authority: trustme.CA
    forum: WebServer
    prefect: WebServer
    pages: WebServer
    names: NameServer
    mail: ScriptedServer
    clock_is_ahead: timedelta = field(default_factory=timedelta)
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def database(self) -> Path:
        """The file of the database."""
        return self.folder / "paperboy.db"

    def set(self, name: str, value: object) -> None:
        """A setting, without its prefix."""
        self.environment.setenv(f"PAPERBOY_{name}", str(value))

    def sql(self, statement: str) -> None:
        """Change the database."""
        opened = open_database(f"sqlite:///{self.database}")
        with opened.engine.begin() as connection:
            connection.exec_driver_sql(statement)
        opened.engine.dispose()

    def deployment(self, name: str, **facts: Any) -> None:
        """Change a deployment in Prefect."""
        path = f"/api/deployments/name/{name}"
        self.prefect.answers[path] = 200, json.dumps(json.loads(self.prefect.answers[path][1]) | facts)

    def certificate(self, *names: str, **facts: Any) -> ssl.SSLContext:
        """What a server encrypts with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names, **facts).configure_cert(context)
        return context

    def replace_mail_server(self, **how: Any) -> None:
        """Send by another server."""
        server = self.stack.enter_context(ScriptedServer(**how))
        self.set("SMTP_URL", smtp_url(server, self.folder / "ca.pem"))

    def findings(self, **how: str) -> list[Finding]:
        """What the doctor says."""
        clock = self.clock_is_ahead
        return checkup.examine(
            lambda: datetime.now(UTC) + clock, sends_from=SENDS_FROM, resolver=self.names.resolver, **how
        )


@contextmanager
def healthy(
    folder: Path, template: Path, environment: pytest.MonkeyPatch, authority: trustme.CA, ca_file: Path
) -> Iterator[Installation]:
    """An installation of which the doctor has nothing but good to say."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with ExitStack() as stack:
        forum, prefect, pages = (stack.enter_context(WebServer(context)) for context in (None, None, tls))
        names = stack.enter_context(NameServer())
        mail = stack.enter_context(ScriptedServer(tls=tls, require_starttls=True, login=LOGIN))
        forum.answers["/feed.rss"] = 200, feed_xml(published_topics(State(weeks=1), forum.url), forum.url)
        pages.answers["/health"] = 200, '{"status":"ok"}'
        prefect.answers.update(_prefect_answers())
        names.records.update(_records())
        environment.chdir(folder)
        copy(ROOT / "prefect.yaml", folder)
        made = Installation(folder, environment, authority, forum, prefect, pages, names, mail, stack=stack)
        copy(ca_file, folder / "ca.pem")
        copy(template, made.database)
        _run_everything(made.database, forum.url)
        (folder / "dkim.pem").write_bytes(
            KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        (folder / "var").mkdir()
        (folder / "var" / "secret_key").write_bytes(b"0123456789abcdef")
        (folder / "var" / "secret_key").chmod(0o600)
        environment.setenv("SSL_CERT_FILE", str(ca_file))
        for contexts in (trusted, connection._context):
            contexts.cache_clear()  # what another test had the process trust
            stack.callback(contexts.cache_clear)
        environment.setenv("PREFECT_API_URL", f"{prefect.url}/api")
        for name, value in {
            "DATABASE_URL": f"sqlite:///{made.database}",
            "FEED_URL": f"{forum.url}/feed.rss",
            "ALLOWED_HOSTS": "127.0.0.1",
            "SMTP_URL": smtp_url(mail, ca_file),
            "SENDER": "Paperboy <news@paperboy.example>",
            "BASE_URL": pages.url,
            "OPERATOR": "op@paperboy.example",
            "DKIM_KEY_FILE": folder / "dkim.pem",
        }.items():
            made.set(name, value)
        yield made


def smtp_url(server: ScriptedServer, ca_file: Path) -> str:
    """The setting that names a mail server."""
    return f"smtp://{':'.join(LOGIN)}@{server.host}:{server.port}?ca={ca_file}"


def _run_everything(database: Path, forum: str) -> None:
    opened, now = open_database(f"sqlite:///{database}"), datetime.now(UTC)
    with opened.sessions.begin() as session:
        session.add(Feed(url=forum, fetched_at=now))
        for kind in ("digest", "upkeep"):
            record(session, kind, {}, now)
    opened.engine.dispose()


def _prefect_answers() -> dict[str, Answer]:
    answers: dict[str, Any] = {
        "/api/health": True,
        "/api/work_pools/paperboy": {"name": "paperboy"},
        "/api/work_pools/paperboy/workers/filter": [{"name": "one", "status": "ONLINE"}],
        "/api/flow_runs/filter": [{"name": "tomorrow's"}],
        "/api/flow_runs/count": 0,
    }
    for deployment in DEPLOYMENTS:
        name = f"{deployment['entrypoint'].rpartition(':')[2]}/{deployment['name']}"
        schedules = [{"active": True, "schedule": schedule} for schedule in deployment.get("schedules", [])]
        answers[f"/api/deployments/name/{name}"] = {"paused": False, "schedules": schedules}
    return {path: (200, json.dumps(answer)) for path, answer in answers.items()}


def _records() -> dict[tuple[str, str], list[str]]:
    return {
        SPF: ["something else", f"v=spf1 mx ip4:{SENDS_FROM} -all"],
        ("paperboy.example", "MX"): ["10 mail.paperboy.example."],
        ("mail.paperboy.example", "A"): [SENDS_FROM],
        DKIM: [public_key(KEY)],
        DMARC: ["v=DMARC1; p=reject"],
        ("7.113.0.203.in-addr.arpa", "PTR"): ["mail.paperboy.example."],
    }
