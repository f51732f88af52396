"""One score against another, a point for each value of a parameter: quality against alignment for
each guidance weight (Imagen, fig. 4), with 95 % whiskers both ways.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from imagen_lit.basics.errors import InputError
from imagen_lit.report import comparable_rows, figure, palette
from imagen_lit.report.comparable_rows import Protocols, Row, Rows

Series = Mapping[Any, Mapping[float, tuple[Row, Row]]]  # by system and parameter: its x and y
Place = tuple[float, float]

FAR = 10  # points from a point to its number


def trade_off(
    rows: Rows,
    protocols: Protocols,
    x: str,
    y: str,
    parameter: str = "guidance",
    system: str = "system",
    words: Mapping[str, str] | None = None,
) -> Figure:
    """Metric `y` against metric `x`; `words` names metrics on their axes. Points of a system are
    joined in the order of the parameter, which stands beside them."""
    words = {x: x, y: y} | dict(words or {})
    series = points(rows, protocols, x, y, parameter, system)
    drawing, axes = figure.new(words[x], words[y])
    for number, (name, along) in enumerate(series.items()):
        look = palette.look(number)
        pairs = [along[value] for value in sorted(along)]
        sides = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        xs, ys = ([row["value"] for row in side] for side in sides)
        style: Any = {
            "color": look.colour,
            "linestyle": look.dash,
            "marker": look.marker,
            "markersize": 4.5,
            "linewidth": 1.4,
            "label": str(name),
        }
        if len(pairs) > 1:
            figure.band(axes, *sides, look.colour)
            axes.plot(xs, ys, **style)
        else:
            left_right, up_down = map(figure.whiskers, sides)
            axes.errorbar(xs, ys, xerr=left_right, yerr=up_down, elinewidth=0.9, capsize=2, **style)
    axes.margins(0.08)
    for number, along in enumerate(series.values()):  # now that the axes have their limits
        places = [(pair[0]["value"], pair[1]["value"]) for _, pair in sorted(along.items())]
        shown = [axes.transLimits.transform(place) for place in places]
        for value, place, (across, up) in zip(sorted(along), places, outwards(shown), strict=True):
            axes.annotate(
                f"{value:g}",
                place,
                xytext=(FAR * across, FAR * up),
                textcoords="offset points",
                ha="center",
                va="center",
                color=palette.look(number).colour,
                fontsize=figure.SMALL,
                path_effects=[withStroke(linewidth=2.5, foreground=palette.PAPER)],
            )
    figure.legend(axes)
    both = [row for along in series.values() for pair in along.values() for row in pair]
    figure.note(drawing, f"Numbers at the points: {parameter}. {comparable_rows.facts(both)}")
    return drawing


def points(rows: Rows, protocols: Protocols, x: str, y: str, parameter: str, system: str) -> Series:
    """The pairs of scores that share a system and a value of the parameter."""
    sides: list[dict[tuple[Any, float], Row]] = []
    for metric in (x, y):
        chosen = comparable_rows.of_metric(rows, protocols, metric, "a plot")
        sides.append(
            {(row.get(system, ""), row[parameter]): row for row in chosen if parameter in row}
        )
    series: dict[Any, dict[float, tuple[Row, Row]]] = defaultdict(dict)
    for (name, value), row in sides[0].items():
        if (name, value) in sides[1]:
            series[name][value] = row, sides[1][name, value]
    if not series:
        raise InputError(
            f"no {system} has both {x} and {y} at one {parameter}. Score both at the same."
        )
    return series


def outwards(places: list[Place]) -> list[Place]:
    """For each point of a curve, the direction away from its neighbours, where its line is not."""
    directions = []
    for number, (x, y) in enumerate(places):
        others = [places[n] for n in (number - 1, number + 1) if 0 <= n < len(places)]
        across = x - sum(other[0] for other in others) / max(1, len(others))
        up = y - sum(other[1] for other in others) / max(1, len(others))
        length = math.hypot(across, up)
        straight = not others or length < 1e-9
        directions.append((0.0, 1.0) if straight else (across / length, up / length))
    return directions
