"""Quality against alignment, a point for each of several evaluations of one run (Imagen, fig. 4),
as an SVG element in the page's colours: a line has its 95 % band, other points their whiskers."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from imagen_lit.report import chart, plane_band
from imagen_lit.report.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH

LEAST = 0.08  # of an axis, around the points
LETTER = 9  # pixels, at the size of text on a narrow screen


class Side(NamedTuple):
    """A number with its interval, if one is known."""

    value: float
    interval: Sequence[float] | None

    def ends(self) -> tuple[float, float]:
        """Of its whisker; without one the value itself."""
        low, high = self.interval or (self.value, self.value)
        return low, high


class Point(NamedTuple):
    """One evaluation: `label` stands beside it."""

    label: str
    x: Side
    y: Side


def svg(points: Sequence[Point], xlabel: str, ylabel: str, is_line: bool) -> str:
    """The points, joined in their order if `is_line`: where a setting leads from one to the
    next."""
    (left, right), (low, high) = _axis([p.x for p in points]), _axis([p.y for p in points])
    side = max(LEFT, 7 + 10 * max(len(f"{y:g}") for y in chart.ticks(low, high, False)))

    def across(x: float) -> float:
        return side + (x - left) / (right - left) * (WIDTH - side - RIGHT)

    def down(y: float) -> float:
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for y in chart.ticks(low, high, False):
        parts.append(f'<path class="rule" d="M{side} {down(y):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{side - 7}" y="{down(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in chart.ticks(left, right, False):
        place = f'x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 17}"'
        parts.append(f'<text {place} text-anchor="middle">{x:g}</text>')
    middle = (side + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{escape(xlabel)}</text>'
    )
    if is_line:
        rows = [
            [side._asdict() for side in sides]
            for sides in ([p.x for p in points], [p.y for p in points])
        ]
        corners = plane_band.polygons(*rows)
        outline = "".join(
            f"M{' '.join(f'{across(x):.1f},{down(y):.1f}' for x, y in each)}Z" for each in corners
        )
        parts.append(f'<path class="band c0" d="{outline}"/>')
        places = " ".join(f"{across(p.x.value):.1f},{down(p.y.value):.1f}" for p in points)
        parts.append(f'<polyline class="line c0" points="{places}"/>')
    for point in points:
        x, y = across(point.x.value), down(point.y.value)
        if not is_line:
            (x1, x2), (y1, y2) = map(across, point.x.ends()), map(down, point.y.ends())
            whiskers = f"M{x1:.1f} {y:.1f}H{x2:.1f}M{x:.1f} {y1:.1f}V{y2:.1f}"
            parts.append(f'<path class="whisker" d="{whiskers}"/>')
        parts.append(f'<circle class="dot c0" cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        is_right = x + 8 + LETTER * len(point.label) > WIDTH
        place = f'x="{x + (-8 if is_right else 8):.1f}" y="{y - 8:.1f}"'
        anchor = f'text-anchor="{"end" if is_right else "start"}"'
        parts.append(f'<text class="name" {place} {anchor}>{escape(point.label)}</text>')
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(ylabel)} by {escape(xlabel)}">{"".join(parts)}</svg>'
    )


def _axis(sides: Sequence[Side]) -> tuple[float, float]:
    ends = [end for side in sides for end in side.ends()]
    margin = LEAST * (max(ends) - min(ends)) or abs(ends[0]) * LEAST or 1.0
    return min(ends) - margin, max(ends) + margin
