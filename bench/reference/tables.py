"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Cells are Markdown in one line; their vertical bars are escaped, also inside code."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"|{''.join(f' {cell} |' if cell else ' |' for cell in cells)}\n" for cells in lines)


def code(value: object) -> str:
    """A value as code, or nothing if it is empty."""
    return f"`{value}`" if str(value) else ""


def codes(values: Iterable[object]) -> str:
    """Values as code, with commas between."""
    return ", ".join(map(code, values))
