"""Figures for people: grids of images and curves as SVG."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image

from imagen_lit.basics import pixels

Points = Sequence[tuple[float, float]]
Bands = Sequence[tuple[float, float, float, float]]  # x, y, low, high


def grid(files: Sequence[Path], columns: int, edge: int, target: Path) -> None:
    """Write images in rows, each enlarged to `edge` without smoothing, for a README or a report."""
    gap = 4
    rows = -(-len(files) // columns)
    sheet = Image.new("RGB", (columns * (edge + gap) - gap, rows * (edge + gap) - gap), "white")
    for i, file in enumerate(files):
        tile = Image.fromarray(pixels.load_png(file)).resize((edge, edge), Image.Resampling.NEAREST)
        sheet.paste(tile, ((i % columns) * (edge + gap), (i // columns) * (edge + gap)))
    pixels.save_png(sheet, target)


def curves(lines: Mapping[str, Points], xlabel: str, ylabel: str, log: bool = True) -> str:
    """Lines through points, as an SVG element."""
    figure, axes = _axes(xlabel, ylabel)
    for label, points in lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=label, linewidth=1.6)
    if log:
        axes.set_yscale("log")
    if len(lines) > 1:
        axes.legend(frameon=False)
    return _svg(figure)


def bands(lines: Mapping[str, Bands], xlabel: str, ylabel: str) -> str:
    """Shares with their intervals, as an SVG element."""
    figure, axes = _axes(xlabel, ylabel)
    for label, points in lines.items():
        x, y, low, high = zip(*points, strict=True)
        (line,) = axes.plot(x, y, marker="o", markersize=4, label=label, linewidth=1.6)
        axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False, loc="lower right")
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
