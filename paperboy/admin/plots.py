"""Plots as SVG: lines over weeks, and bars of one kind. Figures in, markup out; looks are in operator.css."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from monitoring.statistics import Series

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 84, 12, 28  # pixels around the plot: scale, names, air, days
LABEL = 16  # pixels that two names need between them
BAR_HEIGHT = 90
FEW = 12  # bars of their full width


@dataclass(frozen=True)
class Scale:
    """From a number to a height in pixels, beginning at nothing."""

    most: int
    bottom: int
    height: int

    def __call__(self, number: int) -> float:
        return round(self.bottom - number / self.most * self.height, 1)


def lines(series: Series) -> Markup:
    """A line for each name, named at its end."""
    most = _round_up(max((number for counts in series.counts.values() for number in counts), default=0))
    scale = Scale(most, HEIGHT - BOTTOM, HEIGHT - BOTTOM - TOP)
    weeks = len(series.weeks)
    step = (WIDTH - LEFT - RIGHT) / max(weeks - 1, 1)
    marks = [_grid(scale, number) for number in sorted({0, most // 2, most})]
    marks += [
        _text(LEFT + step * place, HEIGHT - 8, f"{series.weeks[place]:%Y-%m-%d}", anchor)
        for place, anchor in ((0, "start"), (weeks - 1, "end"))[: min(weeks, 2)]
    ]
    ends = _spread([(name, scale(counts[-1])) for name, counts in series.counts.items() if counts])
    for place, (name, counts) in enumerate(series.counts.items(), 1):
        points = " ".join(f"{LEFT + step * week:.1f},{scale(number)}" for week, number in enumerate(counts))
        marks.append(Markup('<polyline class="line-{}" points="{}"/>').format(place, points))
        label = f"{name} {counts[-1]}" if counts else name
        marks.append(_text(WIDTH - RIGHT + 8, ends[name] + 4, label, "start", f"name-{place}"))
    return _svg(HEIGHT, marks, f"Readers by week: {', '.join(series.counts)}")


def bars(figures: Sequence[tuple[str, int]]) -> Markup:
    """A bar for each run, with its slot and number to be read when pointed at."""
    most = _round_up(max((number for _, number in figures), default=0))
    scale = Scale(most, BAR_HEIGHT - 8, BAR_HEIGHT - 8 - TOP)
    step = (WIDTH - LEFT - 8) / max(len(figures), FEW)
    marks = [_grid(scale, number) for number in sorted({0, most})]
    for place, (slot, number) in enumerate(figures):
        marks.append(
            Markup('<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>').format(
                round(LEFT + step * (place + 0.15), 1),
                scale(number),
                round(min(step * 0.7, 36), 1),
                round(scale.bottom - scale(number), 1),
                f"{slot}: {number}",
            )
        )
    return _svg(BAR_HEIGHT, marks, "Mails of each run; the table below has the numbers")


def _svg(height: int, marks: Sequence[Markup], title: str) -> Markup:
    return Markup('<svg role="img" viewBox="0 0 {} {}" aria-label="{}">{}</svg>').format(
        WIDTH, height, title, Markup("").join(marks)
    )


def _grid(scale: Scale, number: int) -> Markup:
    y = scale(number)
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LEFT, WIDTH - 8, y, y)
    return line + _text(LEFT - 6, y + 4, f"{number:,}", "end")


def _text(x: float, y: float, text: str, anchor: str, name: str = "scale") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        name, round(x, 1), round(y, 1), anchor, escape(text)
    )


def _spread(ends: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Where the names at the ends of lines go, so that none covers another."""
    placed: dict[str, float] = {}
    lowest = float("-inf")
    for name, y in sorted(ends, key=lambda end: end[1]):
        lowest = max(y, lowest + LABEL)
        placed[name] = lowest
    too_low = max(lowest - (HEIGHT - BOTTOM), 0)
    return {name: y - too_low for name, y in placed.items()}


def _round_up(number: int) -> int:
    """A round number that is no smaller, and at least 2."""
    unit = int(10 ** max(len(str(number)) - 1, 0))
    return max(next(unit * times for times in (1, 2, 4, 6, 8, 10) if unit * times >= number), 2)
