"""`paperboy web` and `paperboy demo`: what a browser shows."""

from pathlib import Path
from typing import Annotated

import typer

MAX_PORT = 65_535


def web(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=MAX_PORT, help="The port to listen at.")] = 8000,
) -> None:
    """Serve the pages for readers: subscribe, preferences, unsubscribe, archive."""
    from paperboy.web.app import serve

    serve(host, port)


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the table.")] = False,
    folder: Annotated[Path, typer.Option(metavar="DIR", help="Where the demo keeps its data.")] = Path(
        "var/demo"
    ),
    port: Annotated[int, typer.Option(min=0, max=MAX_PORT, help="The mailbox page's port.")] = 8025,
    web_port: Annotated[
        int, typer.Option(min=0, max=MAX_PORT, help="The port of the pages for readers.")
    ] = 8000,
) -> None:
    """The whole pipeline on a sample forum, sample readers, an embedded mailbox and the pages."""
    from paperboy.demo.run import run_demo

    run_demo(folder, once=once, port=port, web_port=web_port)
