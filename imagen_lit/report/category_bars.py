"""Scores by category as bars with 95 % whiskers, one for each system (Imagen, figs. 3 and A.7)."""

from matplotlib.figure import Figure

from imagen_lit.report import comparable_rows, figure, palette
from imagen_lit.report.comparable_rows import Protocols, Rows
from imagen_lit.report.palette import INK

THICK, GAP, REST = 0.17, 0.12, 1.4  # inches of a bar, between categories, and of all else


def category_bars(
    rows: Rows,
    protocols: Protocols,
    metric: str,
    category: str = "category",
    system: str = "system",
    words: str = "",
) -> Figure:
    """The bars of a metric, categories from top to bottom in the order of the rows; `words` names
    the metric on its axis."""
    chosen = comparable_rows.of_metric(rows, protocols, metric, "a plot")
    categories = list(dict.fromkeys(str(row.get(category, "")) for row in chosen))
    systems = list(dict.fromkeys(str(row.get(system, "")) for row in chosen))
    step = len(systems) * THICK + GAP
    drawing, axes = figure.new(words or metric, "", REST + step * len(categories))
    for number, name in enumerate(systems):
        own = [row for row in chosen if str(row.get(system, "")) == name]
        look = palette.look(number)
        axes.barh(
            [categories.index(str(row.get(category, ""))) * step + number * THICK for row in own],
            [row["value"] for row in own],
            height=0.9 * THICK,
            xerr=figure.whiskers(own),
            color=look.colour,
            hatch=look.hatch,
            edgecolor=palette.PAPER,
            hatchcolor=palette.PAPER,
            linewidth=0,
            error_kw={"color": INK, "ecolor": INK, "elinewidth": 1, "capsize": 2.5},
            label=name,
        )
    middle = (len(systems) - 1) * THICK / 2
    axes.set_yticks([number * step + middle for number in range(len(categories))], categories)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    if len(systems) > 1:
        figure.legend(axes)
    figure.note(drawing, comparable_rows.facts(chosen))
    return drawing
