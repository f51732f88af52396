"""Curves as small SVG elements that take their colours from the page, so that they are readable in
dark mode too; three hundred of them are drawn in a second.

A line is a series of points (x, y), or (x, y, low, high) with a band. What is not a number is left
out. `page.css` has the colours, `.c0` to `.c7`. What the values are, says the title of the figure.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from imagen_lit.basics import short_form

Points = Sequence[tuple[float, ...]]
Scale = Callable[[float], float]  # from a value to a share of the axis

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 300, 50, 12, 10, 40
GAP = 7  # pixels between a number and its axis
DIGIT = 10  # pixels, at the size of text on a narrow screen
HUGE = 1e30  # beyond, nothing is drawn
COLOURS = 8
MOST, FEW = 150, 24  # points of a line, at most; up to so many, each gets a dot


def curves(lines: Mapping[str, Points], xlabel: str, ylabel: str) -> str:
    """Losses and the like: logarithmic where the values are positive and far apart."""
    numbers = [y for points in lines.values() for _, *each in points for y in each]
    values = [y for y in numbers if abs(y) < HUGE]
    low, high = min(values, default=0.0), max(values, default=1.0)
    is_log = low > 1 / HUGE and high > 3 * low
    margin = max((high - low) * 0.05, abs(high) * 0.01) or 1.0  # no scale of digits that vary
    bottom = max(0.0, low - margin) if low >= 0 else low - margin
    ends = (low / 1.1, high * 1.1) if is_log else (bottom, high + margin)
    return _figure(lines, xlabel, ylabel, ends, is_log)


def shares(lines: Mapping[str, Points], xlabel: str, ylabel: str) -> str:
    """Shares with their intervals, from 0 to 1."""
    return _figure(lines, xlabel, ylabel, (0.0, 1.02), False)


def _figure(
    lines: Mapping[str, Points], xlabel: str, ylabel: str, ends: tuple[float, float], is_log: bool
) -> str:
    start, end = 0.0, max((x for points in lines.values() for x, *_ in points), default=0.0) or 1.0
    across, down = _scale(start, end, False), _scale(*ends, is_log)
    longest = max((len(f"{y:g}") for y in ticks(*ends, is_log)), default=0)
    left = max(LEFT, GAP + DIGIT * longest)  # nothing else is beside the axis: the title names it

    def place(x: float, y: float) -> str:
        across_it = left + across(x) * (WIDTH - left - RIGHT)
        return f"{across_it:.1f},{TOP + (1 - down(y)) * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = [*_grid(start, end, ends, is_log, place, xlabel)]
    for number, points in enumerate(lines.values()):
        parts += _line(_thin(points), f"c{number % COLOURS}", place)
    legend = "".join(
        f'<span class="c{number % COLOURS}">{escape(label)}</span>'
        for number, label in enumerate(lines)
        if label
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(ylabel)} by {escape(xlabel)}">{"".join(parts)}</svg>'
        f'<div class="legend">{legend}</div>'
    )


def _scale(low: float, high: float, is_log: bool) -> Scale:
    if is_log:
        return lambda value: math.log(value / low) / math.log(high / low)
    return lambda value: (value - low) / (high - low)


def _grid(
    start: float,
    end: float,
    ends: tuple[float, float],
    is_log: bool,
    place: Callable[[float, float], str],
    xlabel: str,
) -> Iterator[str]:
    for y in ticks(*ends, is_log):
        x1, y1 = place(start, y).split(",")
        yield f'<path class="rule" d="M{x1} {y1}H{WIDTH - RIGHT}"/>'
        label = f'y="{float(y1) + 4:.1f}" text-anchor="end">{y:g}'
        yield f'<text x="{float(x1) - GAP:.1f}" {label}</text>'
    for x in ticks(start, end, False):
        x1 = place(x, ends[0]).split(",")[0]
        label = short_form.count(x)
        yield f'<text x="{x1}" y="{HEIGHT - BOTTOM + 17}" text-anchor="middle">{label}</text>'
    middle = float(place((start + end) / 2, ends[0]).split(",")[0])
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{escape(xlabel)}</text>'


def _line(points: Points, colour: str, place: Callable[[float, float], str]) -> Iterator[str]:
    good = [point for point in points if all(abs(number) < HUGE for number in point)]
    bands = [point for point in good if len(point) == 4]
    if bands:
        edge = [place(x, high) for x, _, _, high in bands]
        edge += [place(x, low) for x, _, low, _ in reversed(bands)]
        yield f'<polygon class="band {colour}" points="{" ".join(edge)}"/>'
    if len(bands) == 1:  # a band of no width: a whisker
        yield f'<polyline class="line {colour}" points="{edge[0]} {edge[1]}"/>'
    places = [place(x, y) for x, y, *_ in good]
    yield f'<polyline class="line {colour}" points="{" ".join(places)}"/>'
    if len(places) <= FEW:
        for each in places:
            x, y = each.split(",")
            yield f'<circle class="dot {colour}" cx="{x}" cy="{y}" r="3"/>'


def _thin(points: Points) -> Points:
    """At most MOST of the points, evenly, and the last."""
    step = -(-len(points) // MOST)
    return [*points[: -1 : max(1, step)], *points[-1:]]


def ticks(low: float, high: float, is_log: bool) -> list[float]:
    """Round numbers between two ends: 1, 2, 5 and their tenfolds, or multiples of such a step."""
    if is_log:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1, 2, 5), (1,)):
            marks = [digit * 10.0**decade for decade in decades for digit in digits]
            marks = [mark for mark in marks if low <= mark <= high]
            if 2 <= len(marks) <= 8:
                return marks
        if marks[8:]:
            return marks[:: len(marks) // 8 + 1]
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs((high - low) / s - 4.5))
    first = math.ceil(low / step - 1e-9)
    return [float(f"{n * step:.10g}") for n in range(first, math.floor(high / step + 1e-9) + 1)]
