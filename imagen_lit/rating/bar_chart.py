"""Bars with whiskers, as the paper draws what raters prefer (Imagen Fig. 3, A.7, A.15, A.16).

Colours are told apart by the colour-blind and, by their lightness and hatching, on grey paper; the
paper is white on a dark page too.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

COLOURS = ("#1f6fd0", "#f0a04b", "#17803d", "#b8328f", "#8a5a3c", "#55606e")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "++")
INK, SOFT = "#1d2330", "#5d6678"


@dataclass(frozen=True)
class Bar:
    """Its height, and the ends of its interval where there is one."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Panel:
    """Groups of bars side by side: of each label, one of each series, or none."""

    title: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[Bar | None]]
    unit: str
    ends: tuple[float, float]
    line: float | None = None  # where bars say that there is no difference


def draw(panels: Sequence[Panel], are_wide: bool) -> dict[str, bytes]:
    """The figure as SVG and as PNG, by ending; wide panels stand one above the other."""
    groups = max(len(panel.labels) for panel in panels)
    bars = groups * max(len(panel.series) for panel in panels)
    wide = max(3.4, 0.34 * bars + 1.6)
    rows, columns = (len(panels), 1) if are_wide else (1, len(panels))
    size = wide * columns, (2.9 if are_wide else 3.2) * rows
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    for axes, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=True):
        _panel(axes, panel)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False
    )
    svg, png = io.BytesIO(), io.BytesIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": None})
    figure.set_dpi(200)
    FigureCanvasAgg(figure).print_png(png)
    return {".svg": svg.getvalue(), ".png": png.getvalue()}


def _panel(axes, panel: Panel) -> None:  # noqa: ANN001
    width = 0.8 / len(panel.series)
    for number, (name, bars) in enumerate(panel.series.items()):
        there = [(place, bar) for place, bar in enumerate(bars) if bar is not None]
        places = np.array([place for place, _ in there]) + width * (
            number - (len(panel.series) - 1) / 2
        )
        look = number % len(COLOURS)
        axes.bar(
            places,
            [bar.value for _, bar in there],
            0.92 * width,
            label=name,
            color=COLOURS[look],
            hatch=HATCHES[look],
            edgecolor="white",
            linewidth=0,
        )
        for place, (_, bar) in zip(places, there, strict=True):
            if bar.interval is not None:
                low, high = bar.interval
                axes.plot([place, place], [low, high], color=INK, linewidth=1.3)
                for end in (low, high):
                    axes.plot([place - 0.08, place + 0.08], [end, end], color=INK, linewidth=1.3)
    if panel.line is not None:
        axes.axhline(panel.line, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_title(panel.title, fontsize=10, color=INK)
    axes.set_ylabel(panel.unit, fontsize=9)
    axes.set_ylim(*panel.ends)
    is_long = max(len(label) for label in panel.labels) > 60 / len(panel.labels)
    axes.set_xticks(
        range(len(panel.labels)),
        panel.labels,
        rotation=35 if is_long else 0,
        ha="right" if is_long else "center",
        fontsize=9,
    )
    axes.set_axisbelow(True)
    axes.grid(axis="y", alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
