"""Plots as SVG: lines over weeks, and a bar for each run. Numbers in, markup out; the looks are in operator.css.

They are drawn for the width of a phone, so that their texts can be read there, and grow a little on a desktop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from monitoring.statistics import Series

WIDTH, HEIGHT = 360, 190  # pixels, like everything below
LEFT, RIGHT, TOP, BOTTOM = 34, 96, 12, 26  # margins for the scale, the names, air, and the dates
LABEL_HEIGHT = 15  # that two names need between them
POINT_RADIUS = 4
BAR_LEFT, BAR_RIGHT = 132, 52  # margins for the names of runs, and for the values
ROW_HEIGHT, BAR_HEIGHT = 22, 14


@dataclass(frozen=True)
class Bar:
    """One bar: its name, its length in the unit of the plot, and how the value is written."""

    name: str
    length: float
    value: str


@dataclass(frozen=True)
class Scale:
    """From a number to a height in pixels. The scale begins at zero."""

    maximum: int
    bottom: int
    height: int

    def __call__(self, number: int) -> float:
        return round(self.bottom - number / self.maximum * self.height, 1)


def line_plot(series: Series, title: str, name_of: Callable[[str], str] = str) -> Markup:
    """A line for each name, with the name and the last count at its end. A single week is a point."""
    numbers = (number for counts in series.counts.values() for number in counts)
    maximum = _round_up(max(numbers, default=0))
    scale = Scale(maximum, HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP)
    weeks = len(series.weeks)
    step = (WIDTH - LEFT - RIGHT) / max(weeks - 1, 1)
    start = LEFT if weeks > 1 else LEFT + (WIDTH - LEFT - RIGHT) / 2
    marks = [_grid_line(scale, number) for number in sorted({0, maximum // 2, maximum})]
    marks += [
        _text(start + step * week, HEIGHT - 8, f"{series.weeks[week]:%Y-%m-%d}", anchor)
        for week, anchor in ((0, "start" if weeks > 1 else "middle"), (weeks - 1, "end"))[: min(weeks, 2)]
    ]
    ends = _spread([(name, scale(counts[-1])) for name, counts in series.counts.items() if counts])
    for number, (name, counts) in enumerate(series.counts.items(), 1):
        points = [(round(start + step * week, 1), scale(count)) for week, count in enumerate(counts)]
        marks.append(_line(points, number))
        marks.append(
            _text(
                WIDTH - RIGHT + 8,
                ends[name] + 4,
                f"{name_of(name)} {counts[-1]:,}",
                "start",
                f"name-{number}",
            )
        )
    return _svg(HEIGHT, marks, title)


def _line(points: Sequence[tuple[float, float]], number: int) -> Markup:
    """A line through points, or a mark if there is only one."""
    if len(points) == 1:
        return Markup('<circle class="point-{}" cx="{}" cy="{}" r="{}"/>').format(
            number, *points[0], POINT_RADIUS
        )
    path = " ".join(f"{x},{y}" for x, y in points)
    return Markup('<polyline class="line-{}" points="{}"/>').format(number, path)


def bar_plot(bars: Sequence[Bar], title: str, target: float | None = None, target_name: str = "") -> Markup:
    """A bar in a row for each run, with its name before it and its value behind it.

    A `target` is drawn as a line across the bars, with its name above it.
    """
    room = WIDTH - BAR_LEFT - BAR_RIGHT
    longest = max([*(bar.length for bar in bars), (target or 0) * 1.25, 1e-9])
    top = ROW_HEIGHT if target is not None else 0
    marks: list[Markup] = []
    for index, bar in enumerate(bars):
        y, width = top + index * ROW_HEIGHT, round(bar.length / longest * room, 1)
        css = "bar over" if target is not None and bar.length > target else "bar"
        marks.append(_text(BAR_LEFT - 6, y + BAR_HEIGHT, bar.name, "end"))
        marks.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                css, BAR_LEFT, y + 4, max(width, 1), BAR_HEIGHT
            )
        )
        marks.append(_text(BAR_LEFT + width + 5, y + BAR_HEIGHT, bar.value, "start", "value"))
    height = top + len(bars) * ROW_HEIGHT + 6
    if target is not None:
        x = round(BAR_LEFT + target / longest * room, 1)
        line = '<line class="target" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        marks.append(Markup(line).format(x, x, top - 2, height))  # noqa: S704  a constant, filled in with escaping
        marks.append(_text(x, ROW_HEIGHT - 8, target_name, "middle"))
    return _svg(height, marks, title)


def _svg(height: int, marks: Sequence[Markup], title: str) -> Markup:
    return Markup('<svg role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>').format(
        WIDTH, height, title, Markup("").join(marks)
    )


def _grid_line(scale: Scale, number: int) -> Markup:
    y = scale(number)
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - RIGHT, y, y)
    return line + _text(LEFT - 6, y + 4, f"{number:,}", "end")


def _text(x: float, y: float, text: str, anchor: str, css_class: str = "scale") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        css_class, round(x, 1), round(y, 1), anchor, escape(text)
    )


def _spread(ends: Sequence[tuple[str, float]]) -> dict[str, float]:
    """The heights of the names at the ends of lines, moved apart so that none covers another."""
    placed: dict[str, float] = {}
    lowest = float("-inf")
    for name, y in sorted(ends, key=lambda end: end[1]):
        lowest = max(y, lowest + LABEL_HEIGHT)
        placed[name] = lowest
    excess = max(lowest - (HEIGHT - BOTTOM), 0)
    return {name: y - excess for name, y in placed.items()}


def _round_up(number: int) -> int:
    """A round number that is not smaller, and at least 2."""
    unit = int(10 ** max(len(str(number)) - 1, 0))
    return max(next(unit * times for times in (1, 2, 4, 6, 8, 10) if unit * times >= number), 2)
