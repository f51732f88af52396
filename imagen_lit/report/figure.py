"""Figures for documents, by matplotlib: curves as SVG."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

Points = Sequence[tuple[float, float]]


def curves(lines: Mapping[str, Points], xlabel: str, ylabel: str) -> str:
    """Lines through points over a logarithmic axis, as an SVG element."""
    figure, axes = _axes(xlabel, ylabel)
    for label, points in lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=1.6)
    axes.set_yscale("log")
    if len(lines) > 1:
        axes.legend(frameon=False)
    return _svg(figure)


def _axes(xlabel: str, ylabel: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.locator_params(axis="x", nbins=6)  # more labels as wide as "150000" would overlap
    return figure, axes


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
