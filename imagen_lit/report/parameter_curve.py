"""A score over a parameter, such as images seen or sampling steps: a line with its 95 % band for
each system."""

from matplotlib.figure import Figure

from imagen_lit.report import comparable_rows, figure, palette
from imagen_lit.report.comparable_rows import Protocols, Rows


def parameter_curve(
    rows: Rows,
    protocols: Protocols,
    metric: str,
    parameter: str,
    system: str = "system",
    words: str = "",
) -> Figure:
    """The curves of a metric; `words` names it on its axis."""
    chosen = comparable_rows.of_metric(rows, protocols, metric, "a plot")
    systems = list(dict.fromkeys(str(row.get(system, "")) for row in chosen))
    drawing, axes = figure.new(parameter, words or metric)
    for number, name in enumerate(systems):
        look = palette.look(number)
        own = sorted(
            (row for row in chosen if str(row.get(system, "")) == name),
            key=lambda row: row[parameter],
        )
        banded = [row for row in own if row["interval"]]
        axes.fill_between(
            [row[parameter] for row in banded],
            [row["interval"][0] for row in banded],
            [row["interval"][1] for row in banded],
            color=look.colour,
            alpha=figure.SHADE,
            linewidth=0,
        )
        axes.plot(
            [row[parameter] for row in own],
            [row["value"] for row in own],
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            markersize=5,
            linewidth=1.6,
            label=name,
        )
    if len(systems) > 1:
        figure.legend(axes)
    figure.note(drawing, comparable_rows.facts(chosen))
    return drawing
