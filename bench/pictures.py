"""Takes the pictures of README.md and docs/start.md from the demo: `python -m bench.pictures`.

It runs the demo, which takes a minute, and replaces the PNG files in docs/. It needs Chromium.
"""

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, sync_playwright
from pydantic import SecretStr

from bench.processes import free_port, show
from core.languages import TextLanguage
from core.settings import Settings
from paperboy.web.app import create_app, served
from tests.support.programs import CHROMIUM_SWITCHES, program

DOCS = Path(__file__).parents[1] / "docs"
NEWEST_ISSUE = "2026-03-02"  # of the demo
MORNING = datetime(2026, 3, 13, 23, 5, tzinfo=UTC)  # 08:05 in Seoul on the demo's last day
TOKEN = "only-for-the-pictures-not-a-secret"  # noqa: S105
# The sizes in pixels. The mail and the overview stand side by side, so their proportions are much the same.
MAILBOX = ViewportSize(width=1200, height=780)
MAIL = ViewportSize(width=760, height=940)
OVERVIEW = ViewportSize(width=1060, height=1225)


@contextmanager
def running_demo(folder: Path) -> Iterator[str]:
    """The demo, from when its pages are served. Yields the address of the mailbox."""
    ports = ["--port", str(free_port()), "--web-port", str(free_port())]
    command = [program("paperboy"), "demo", "--folder", str(folder), *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            served_at = (re.match(r"The mailbox: (\S+)", line) for line in demo.stdout or ())
            yield next(found[1] for found in served_at if found)
        finally:
            demo.send_signal(signal.SIGTERM)


def take_mailbox(browser: Browser, address: str) -> None:
    """The demo's mailbox as it opens."""
    page = browser.new_page(viewport=MAILBOX)
    page.goto(address)
    page.screenshot(path=DOCS / "mailbox.png")


def take_mail(browser: Browser, folder: Path) -> None:
    """The newest issue of the demo as a mail in both languages."""
    choice = ["--language", "both", "--frequency", "weekly", "--out", str(folder)]
    subprocess.run(
        [program("paperboy"), "preview", NEWEST_ISSUE, *choice],
        env=os.environ
        | {"PAPERBOY_DATABASE_URL": f"sqlite:///{folder}/paperboy.db", "PAPERBOY_DATA_DIR": str(folder)},
        cwd=folder,
        check=True,
    )
    page = browser.new_page(viewport=MAIL)
    page.goto((folder / f"{NEWEST_ISSUE}-both-weekly.html").as_uri())
    page.screenshot(path=DOCS / "mail.png")


def take_overview(browser: Browser, folder: Path, language: TextLanguage, name: str) -> None:
    """The operator's overview in the morning after the demo's last week."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=f"sqlite:///{folder}/paperboy.db",
        data_dir=folder,
        secret_key=SecretStr(TOKEN),
        operator_token=SecretStr(TOKEN),
        operator_language=language,
    )
    with served(create_app(settings, lambda: MORNING), "127.0.0.1", 0) as address:
        page = browser.new_page(viewport=OVERVIEW)
        page.goto(f"{address}/operator")
        page.locator("input[type=password]").fill(TOKEN)
        page.locator("main button").click()
        page.wait_for_selector("h2")
        page.screenshot(path=DOCS / name)


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name) / "demo"
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=CHROMIUM_SWITCHES)
        with running_demo(folder) as address:
            take_mailbox(browser, address)
        take_mail(browser, folder)
        take_overview(browser, folder, TextLanguage.EN, "overview.png")
        take_overview(browser, folder, TextLanguage.KO, "overview.ko.png")
        browser.close()
    for picture in sorted(DOCS.glob("*.png")):
        show(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
