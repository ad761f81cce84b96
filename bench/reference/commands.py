"""The part of the reference about commands: what `--help` says, for all of them."""

from collections.abc import Iterator
from typing import Any

import typer.main

from bench.reference.tables import code, table
from paperboy.cli.main import app


def text() -> str:
    """A section for each command."""
    return "\n".join(_section(name, command) for name, command in all_commands())


def all_commands() -> Iterator[tuple[str, Any]]:
    """The name and the command of each, such as `paperboy issues list`. A group is named by its commands."""
    yield from _below(typer.main.get_command(app), "paperboy")


def _below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", {})
    if not below:
        yield name, command
    for word, child in below.items():
        yield from _below(child, f"{name} {word}")


def _section(name: str, command: Any) -> str:
    paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
    arguments = [entry for entry in command.params if entry.param_type_name == "argument"]
    options = [entry for entry in command.params if entry.param_type_name == "option"]
    usage = " ".join([name, *map(_usage, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(code(_usage(entry)), _meaning(name, entry)) for entry in arguments]
    rows += [(code(_option(entry)), _meaning(name, entry)) for entry in options]
    parts = [f"## {name}", *paragraphs, f"```\n{usage}\n```"]
    return "\n\n".join([*parts, table(("argument or option", "meaning"), rows)] if rows else [*parts, ""])


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).strip("[]")
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    takes = "" if option.is_flag else f" {option.metavar or option.name.upper()}"
    return f"{option.opts[0]}{takes}"


def _meaning(command: str, entry: Any) -> str:
    if not entry.help:
        raise ValueError(f"{command} does not say what {entry.name} is for")
    default = str(entry.default) if entry.default not in (None, "", False) else ""
    notes = ["required"] if entry.required and entry.param_type_name == "option" else []
    notes += [f"default {code(default)}"] if default else []
    return f"{entry.help} ({', '.join(notes)})" if notes else str(entry.help)
