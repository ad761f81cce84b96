"""External programs that check finished mails and pages, and what happens where they are not installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

MAIL_CHECKS = Path(__file__).parents[1] / "mail_checks"
CHROMIUM_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
ACCESSIBILITY_VIOLATIONS = """async () => (await axe.run()).violations.map(
    ({id, impact, help, nodes}) => `${impact} ${id}: ${help}, at ${nodes[0].html.slice(0, 150)}`)"""
TOO_WIDE_ELEMENTS = """() => {
    const elements = [...document.querySelectorAll("body *")].filter(
        (element) => element.getBoundingClientRect().right > innerWidth);
    const page = document.documentElement.scrollWidth > innerWidth ? ["the page scrolls"] : [];
    return [...page, ...elements.map((element) => element.outerHTML.slice(0, 150))];
}"""

# Links in a row, with dots between. WCAG 2.2, 2.5.8, wants 24 pixels of all but those within sentences.
HARD_TO_TAP_LINKS = """() => [...document.querySelectorAll("a")]
    .filter((link) => link.parentNode.textContent.includes(" · "))
    .filter((link) => link.getClientRects().length > 1 || link.getBoundingClientRect().height < 24)
    .map((link) => link.outerHTML.slice(0, 150))"""


def program(name: str) -> str:
    """The path of a program in the project's own environment, or on the machine."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return shutil.which(name, path=places) or missing(f"{name} is not installed")


def output_of(name: str, *arguments: str | Path, standard_input: bytes, home: Path) -> bytes:
    """The standard output of a program, which keeps its settings in `home`."""
    return subprocess.run(  # noqa: S603  the tests name the program
        [program(name), *arguments],
        input=standard_input,
        env=os.environ | {"HOME": str(home)},
        check=True,
        stdout=subprocess.PIPE,
    ).stdout


def node_module(path: str) -> Path:
    """A file of the Node packages that `make test` installs in mail_checks."""
    file = MAIL_CHECKS / "node_modules" / path
    return file if file.exists() else missing("mail_checks has no node_modules: make test installs them")


def missing(reason: str) -> NoReturn:
    """Skip the test. In CI, where nothing may be skipped, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must have it")
    pytest.skip(reason)
