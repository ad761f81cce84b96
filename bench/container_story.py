"""Builds the image, starts the services of compose.yaml by their own commands, and lets a reader's story pass.

    STORAGE_DRIVER=vfs python -m bench.container_story FOLDER [--make-base]

It needs root and buildah, which starts containers here in place of Compose, in the network of this machine. The ports 4200,
8000 and 8080 must be free. `--make-base` makes the base image from Debian's packages by mmdebstrap, for a machine that reaches no
registry of images. It tells the size of the image and the seconds of each step, and ends with 1 if a story does not pass.
"""

import argparse
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx
import typer
import yaml

from paperboy.demo.sample.forum import Forum
from tests.support.kept_database import KEY, kept_links, load_kept_database
from tests.support.servers.smtp import ScriptedServer
from tests.support.site import links_of, until

IMAGE, BASE = "paperboy", "docker.io/library/debian:bookworm-slim"
USER = 10001
PAGES = "http://127.0.0.1:8000"
ADDRESS = "minji@example.com"
ALL_SERVICES = ("migrate", "prefect", "set-up", "worker", "pages")
ONCE = ("migrate", "set-up")
HEALTHY_SECONDS = 240


def main() -> None:
    """Run everything in a folder that is emptied first."""
    parser = argparse.ArgumentParser(description="Let a reader's story pass in containers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--make-base", action="store_true")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.folder, ignore_errors=True)
    arguments.folder.mkdir(parents=True)
    if arguments.make_base:
        with timed("base image"):
            make_base(arguments.folder)
    with timed("image"):
        buildah("build", "--isolation", "chroot", "--tag", IMAGE, ".")
    with Forum() as forum, ScriptedServer() as server:
        compose = Compose(arguments.folder, forum, server)
        typer.echo(f"image: {compose.megabytes()} MB")
        with timed("story of a new installation"):
            play_new_installation(compose, server)
        with timed("story of an upgrade"):
            play_upgrade(compose)
    typer.echo("The stories have passed.")


# --- images and containers ----------------------------------------------------------


def buildah(*arguments: str) -> str:
    """Run a command of buildah, and return what it printed. What it logs is shown."""
    return subprocess.run(
        ["buildah", *arguments], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def make_base(folder: Path) -> None:
    """Make the base image. It trusts the certificate authorities of this machine, because a proxy may need them."""
    root = folder / "base.tar"
    # An image called slim has no manuals and translations.
    unwanted = ("doc", "man", "info", "locale", "lintian", "groff")
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in unwanted]
    merged = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", merged, *excluded, "bookworm", root], check=True
    )
    container = buildah("from", "scratch")
    buildah("add", container, str(root), "/")
    authorities = "/etc/ssl/certs/ca-certificates.crt"
    (folder / "pip.conf").write_text(f"[global]\ncert = {authorities}\n")
    (folder / "uv.toml").write_text("native-tls = true\n")
    buildah("add", container, authorities, "/usr/local/share/ca-certificates/proxy.crt")
    buildah("add", container, str(folder / "pip.conf"), "/etc/pip.conf")
    buildah("add", container, str(folder / "uv.toml"), "/etc/uv/uv.toml")
    buildah("commit", "--rm", container, BASE)


class Compose:
    """Starts the services of compose.yaml as Compose would, but in the network of this machine."""

    def __init__(self, folder: Path, forum: Forum, server: ScriptedServer) -> None:
        self._services: dict[str, Any] = yaml.safe_load(Path("compose.yaml").read_text("utf-8"))["services"]
        self._container = buildah("from", IMAGE)
        self._running: list[subprocess.Popen[bytes]] = []
        self._logs = folder / "logs"
        self._logs.mkdir()
        self.data, self.secrets = folder / "data", folder / "secrets"
        self.secrets.mkdir()
        (self.secrets / "paperboy_secret_key").write_bytes(KEY)
        self._environment = {
            "PAPERBOY_FEED_URL": forum.feed_url,
            "PAPERBOY_ALLOWED_HOSTS": "127.0.0.1",
            "PAPERBOY_SMTP_URL": f"smtp://{server.host}:{server.port}",
            "PAPERBOY_BASE_URL": PAGES,
            "PAPERBOY_SENDER": "Paperboy <news@paperboy.example>",
            "PAPERBOY_SETTLE_MINUTES": "0",
        }

    def megabytes(self) -> int:
        """The size of the image's files."""
        mounted = buildah("mount", self._container)
        size = subprocess.run(["du", "-sm", mounted], check=True, stdout=subprocess.PIPE, text=True)
        buildah("umount", self._container)
        return int(size.stdout.split()[0])

    def command(self, service: str, command: list[str]) -> list[str]:
        """What runs a command in a container of a service."""
        environment = {**self._services[service]["environment"], **self._environment}
        environment["PREFECT_API_URL"] = environment["PREFECT_API_URL"].replace("//prefect:", "//127.0.0.1:")
        variables = [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]
        volumes = [
            "--volume",
            f"{self.data}:/opt/paperboy/var",
            "--volume",
            f"{self.secrets}:/run/secrets:ro",
        ]
        return [
            "buildah",
            "run",
            "--isolation",
            "chroot",
            *variables,
            *volumes,
            self._container,
            "--",
            *command,
        ]

    def execute(self, service: str, *command: str) -> str:
        """Run a command in a container of a service, and return what it printed."""
        done = subprocess.run(
            self.command(service, list(command)), check=False, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @contextmanager
    def up(self, *services: str) -> Iterator[None]:
        """Start services in their order while the context lasts. Each but those that run once becomes healthy."""
        try:
            for service in services:
                self._start(service)
            yield
        finally:
            for process in reversed(self._running):
                process.terminate()
            for process in self._running:
                process.wait(120)
            self._running.clear()

    def _start(self, service: str) -> None:
        command = self._services[service]["command"]
        with timed(f"  {service}"):
            if service in ONCE:
                self.execute(service, *command)
                return
            with (self._logs / f"{service}.log").open("ab") as log:
                self._running.append(subprocess.Popen(self.command(service, command), stdout=log, stderr=log))
            _, *check = self._services[service]["healthcheck"]["test"]
            end = time.monotonic() + HEALTHY_SECONDS
            while subprocess.run(self.command(service, check), check=False, capture_output=True).returncode:
                if time.monotonic() > end:
                    raise SystemExit(f"{service} did not become healthy: see {self._logs}")
                time.sleep(0.5)

    def empty_data(self) -> None:
        """Replace the volume by an empty one that belongs to the user of the containers."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o750)
        os.chown(self.data, USER, USER)


# --- stories ------------------------------------------------------------------------


def play_new_installation(compose: Compose, server: ScriptedServer) -> None:
    """Sign-up, confirmation, ingest, digest and unsubscribing, with nothing writable but the volume."""
    compose.empty_data()
    with compose.up(*ALL_SERVICES), httpx.Client(base_url=PAGES, timeout=30) as reader:
        check(compose.execute("pages", "id", "-u").strip(), str(USER))
        unwritable = "for folder in / /opt/paperboy /opt/paperboy/flows /etc; do touch $folder/x && exit 1; done; exit 0"
        compose.execute("pages", "sh", "-c", unwritable)
        reader.post("/subscribe", data={"email": ADDRESS, "language": "both", "frequency": "weekly"})
        reader.post(find_link(server, 1, "c"))
        until(lambda: len(server.messages) == 2, "the welcome")
        run_deployment(compose, "ingest/hourly")
        run_deployment(compose, "digest/weekly")
        until(lambda: len(server.messages) == 3, "the digest")
        answer = reader.post(find_link(server, 3, "u"), data={"List-Unsubscribe": "One-Click"})
        check(answer.text, "unsubscribed\n")


def play_upgrade(compose: Compose) -> None:
    """The database of an old version: its links work after the migration, and everything starts."""
    compose.empty_data()
    database = compose.data / "paperboy.db"
    load_kept_database(f"sqlite:///{database}")
    os.chown(database, USER, USER)
    address, links = next((address, each) for address, each in kept_links().items() if "unsubscribe" in each)
    with compose.up(*ALL_SERVICES):
        answer = httpx.post(
            f"{PAGES}/u/{links['unsubscribe']}", data={"List-Unsubscribe": "One-Click"}, timeout=30
        )
        check(answer.text, "unsubscribed\n")
    with sqlite3.connect(database) as connection:
        query = "SELECT status FROM subscribers WHERE email = ?"
        check(connection.execute(query, (address,)).fetchone(), ("unsubscribed",))


def run_deployment(compose: Compose, name: str) -> None:
    """Let the worker run a deployment, and wait until it has completed."""
    printed = compose.execute("worker", "prefect", "deployment", "run", name, "--watch")
    if not re.search(r"finished successfully|Completed", printed):
        raise SystemExit(f"{name} did not complete:\n{printed}")


def find_link(server: ScriptedServer, number: int, page: str) -> str:
    """The path of a link to a page in the mail with this number."""
    until(lambda: len(server.messages) >= number, f"mail {number}")
    mail = message_from_bytes(server.messages[number - 1].data, policy=policy.default)
    return next(link.removeprefix(PAGES) for link in links_of(mail) if link.startswith(f"{PAGES}/{page}/"))


def check(found: object, wanted: object) -> None:
    """End the program if something else was found than was wanted."""
    if found != wanted:
        raise SystemExit(f"{found!r} in place of {wanted!r}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how many seconds the body took."""
    begun = time.monotonic()
    yield
    typer.echo(f"{what}: {time.monotonic() - begun:.1f} s")


if __name__ == "__main__":
    main()
