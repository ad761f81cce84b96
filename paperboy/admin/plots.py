"""Plots as SVG: lines over weeks, and bars of one kind. Numbers in, markup out; the looks are in operator.css."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from monitoring.statistics import Series

WIDTH, HEIGHT = 640, 220  # pixels, like everything below
LEFT, RIGHT, TOP, BOTTOM = 48, 84, 12, 28  # margins for the scale, the names, air, and the dates
LABEL_HEIGHT = 16  # that two names need between them
BAR_PLOT_HEIGHT = 90
MIN_BAR_SLOTS = 12  # so that a few bars do not become broad


@dataclass(frozen=True)
class Scale:
    """From a number to a height in pixels. The scale begins at zero."""

    maximum: int
    bottom: int
    height: int

    def __call__(self, number: int) -> float:
        return round(self.bottom - number / self.maximum * self.height, 1)


def line_plot(series: Series) -> Markup:
    """A line for each name, with the name at its end."""
    numbers = (number for counts in series.counts.values() for number in counts)
    maximum = _round_up(max(numbers, default=0))
    scale = Scale(maximum, HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP)
    weeks = len(series.weeks)
    step = (WIDTH - LEFT - RIGHT) / max(weeks - 1, 1)
    marks = [_grid_line(scale, number) for number in sorted({0, maximum // 2, maximum})]
    marks += [
        _text(LEFT + step * week, HEIGHT - 8, f"{series.weeks[week]:%Y-%m-%d}", anchor)
        for week, anchor in ((0, "start"), (weeks - 1, "end"))[: min(weeks, 2)]
    ]
    ends = _spread([(name, scale(counts[-1])) for name, counts in series.counts.items() if counts])
    for number, (name, counts) in enumerate(series.counts.items(), 1):
        points = " ".join(f"{LEFT + step * week:.1f},{scale(count)}" for week, count in enumerate(counts))
        marks.append(Markup('<polyline class="line-{}" points="{}"/>').format(number, points))
        label = f"{name} {counts[-1]}" if counts else name
        marks.append(_text(WIDTH - RIGHT + 8, ends[name] + 4, label, "start", f"name-{number}"))
    return _svg(HEIGHT, marks, f"Readers by week: {', '.join(series.counts)}")


def bar_plot(bars: Sequence[tuple[str, int]]) -> Markup:
    """A bar for each run. Pointing at it shows its slot and number."""
    maximum = _round_up(max((number for _, number in bars), default=0))
    scale = Scale(maximum, BAR_PLOT_HEIGHT - 8, BAR_PLOT_HEIGHT - 8 - TOP)
    step = (WIDTH - LEFT - 8) / max(len(bars), MIN_BAR_SLOTS)
    marks = [_grid_line(scale, number) for number in sorted({0, maximum})]
    for index, (slot, number) in enumerate(bars):
        marks.append(
            Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                round(LEFT + step * (index + 0.15), 1),
                scale(number),
                round(min(step * 0.7, 36), 1),
                round(scale.bottom - scale(number), 1),
                f"{slot}: {number}",
            )
        )
    return _svg(BAR_PLOT_HEIGHT, marks, "Mails of each run; the table below has the numbers")


def _svg(height: int, marks: Sequence[Markup], title: str) -> Markup:
    return Markup('<svg role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>').format(
        WIDTH, height, title, Markup("").join(marks)
    )


def _grid_line(scale: Scale, number: int) -> Markup:
    y = scale(number)
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - 8, y, y)
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
