"""Bars with the whiskers of their 95 % intervals, as a small SVG element in the page's colours.

What a bar is stands above it, with its number, so that no colour has to tell bars apart. All bars
of one element are numbers of one protocol: their axis is common, and begins at zero.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from imagen_lit.basics import rounding
from imagen_lit.report import chart

ROW, BAR, CAP, BOTTOM = 38, 11, 4, 26  # pixels: of a bar with its words, its thickness, its whisker
EDGE, THIN = 8, 2  # beside the axis; of the bar of a zero


class Bar(NamedTuple):
    """`interval` is None where none is known."""

    label: str
    value: float
    interval: Sequence[float] | None


def svg(bars: Sequence[Bar], words: str) -> str:
    """From top to bottom; `words` say what is shown to those who do not see it."""
    numbers = [0.0, *(x for bar in bars for x in (bar.value, *(bar.interval or ())))]
    low, high = min(numbers), max(numbers)
    high = high if high > low else low + 1.0
    height = ROW * len(bars) + BOTTOM

    def across(x: float) -> float:
        return EDGE + (x - low) / (high - low) * (chart.WIDTH - 2 * EDGE)

    parts = []
    for x in _marks(low, high):
        parts.append(f'<path class="rule" d="M{across(x):.1f} 0V{height - BOTTOM + 4}"/>')
        parts.append(
            f'<text x="{across(x):.1f}" y="{height - 6}" text-anchor="middle">{x:g}</text>'
        )
    for number, bar in enumerate(bars):
        parts.append(_bar(bar, number * ROW, across))
    return (
        f'<svg class="chart bars" viewBox="0 0 {chart.WIDTH} {height}" role="img" '
        f'aria-label="{escape(words)}">{"".join(parts)}</svg>'
    )


def _marks(low: float, high: float) -> list[float]:
    """Those whose numbers do not reach over the edge."""
    margin = (high - low) * 0.03
    return [x for x in chart.ticks(low, high, False) if low + margin <= x <= high - margin or not x]


def _bar(bar: Bar, top: float, across: Callable[[float], float]) -> str:
    start, end = sorted((across(0.0), across(bar.value)))
    upper = top + ROW - BAR - 6
    middle = upper + BAR / 2
    reason = "" if bar.interval else " (no interval)"
    text = rounding.with_interval(bar.value, bar.interval) + reason
    width = max(end - start, THIN)
    parts = [
        f'<text class="name" x="{EDGE}" y="{upper - 5:.1f}">{escape(bar.label)}</text>',
        f'<text class="name" x="{chart.WIDTH - EDGE}" y="{upper - 5:.1f}" text-anchor="end">'
        f"{text}</text>",
        f'<rect class="block c0" x="{start:.1f}" y="{upper:.1f}" width="{width:.1f}" '
        f'height="{BAR}"/>',
    ]
    if bar.interval is not None:
        low, high = (across(each) for each in bar.interval)
        caps = "".join(f"M{x:.1f} {middle - CAP:.1f}v{2 * CAP}" for x in (low, high))
        parts.append(f'<path class="whisker" d="M{low:.1f} {middle:.1f}H{high:.1f}{caps}"/>')
    return "".join(parts)
