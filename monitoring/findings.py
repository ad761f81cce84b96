"""What a check found, one line each: the doctor's findings, and those of a probe. A person reads them in either language."""

from dataclasses import dataclass
from typing import Literal

from core.languages import TextLanguage
from monitoring.translation import translate_finding

State = Literal["ok", "warning", "failed"]
MAX_TEXT_CHARS = 300  # characters of a text, which may come from a server


@dataclass(frozen=True)
class Finding:
    """What a check found: its subject, its state, what was seen, and the remedy (empty if the state is ok).

    `paperboy doctor --json` prints these fields, so their names cannot change.
    """

    name: str
    state: State
    problem: str
    remedy: str = ""

    def line(self, language: TextLanguage = TextLanguage.EN) -> str:
        """The finding as a line for the operator."""
        state, name, problem, remedy = (
            one_line(translate_finding(language, text))
            for text in (self.state, self.name, self.problem, self.remedy)
        )
        line = f"{state:<8} {name}: {problem}"
        return f"{line} -> {remedy}" if remedy else line


def ok(name: str, problem: str) -> Finding:
    """A finding that needs no action."""
    return Finding(name, "ok", problem)


def warning(name: str, problem: str, remedy: str) -> Finding:
    """A finding that somebody should look at: it works for now, or it cannot be checked from here."""
    return Finding(name, "warning", problem, remedy)


def failed(name: str, problem: str, remedy: str) -> Finding:
    """A finding that something does not work."""
    return Finding(name, "failed", problem, remedy)


def one_line(text: object) -> str:
    """A text from anywhere, shortened to MAX_TEXT_CHARS, without line breaks and control characters."""
    words = " ".join(str(text).split())
    return "".join(char for char in words if char.isprintable())[:MAX_TEXT_CHARS]
