"""One score against another, a point for each value of a parameter: quality against alignment for
each guidance weight (Imagen, fig. 4), with 95 % whiskers both ways.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from imagen_lit.basics.errors import InputError
from imagen_lit.report import comparable_rows, figure, palette
from imagen_lit.report.comparable_rows import Protocols, Row, Rows

Series = Mapping[Any, Mapping[float, tuple[Row, Row]]]  # by system and parameter: its x and y


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
        xs, ys = ([pair[side]["value"] for pair in pairs] for side in (0, 1))
        axes.errorbar(
            xs,
            ys,
            xerr=figure.whiskers([pair[0] for pair in pairs]),
            yerr=figure.whiskers([pair[1] for pair in pairs]),
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            markersize=5,
            linewidth=1.6,
            elinewidth=0.9,
            capsize=2,
            label=str(name),
        )
        for value, place_x, place_y in zip(sorted(along), xs, ys, strict=True):
            axes.annotate(
                f"{value:g}",
                (place_x, place_y),
                xytext=(4, 4),
                textcoords="offset points",
                color=look.colour,
                fontsize=figure.SMALL,
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
        sides.append({(row.get(system, ""), row[parameter]): row for row in chosen})
    series: dict[Any, dict[float, tuple[Row, Row]]] = defaultdict(dict)
    for (name, value), row in sides[0].items():
        if (name, value) in sides[1]:
            series[name][value] = row, sides[1][name, value]
    if not series:
        raise InputError(
            f"no {system} has both {x} and {y} at one {parameter}. Score both at the same."
        )
    return series
