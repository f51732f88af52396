"""Figures for documents and pages, by matplotlib: axes in the page's colours, as SVG or PNG.

In an SVG, texts are texts, and colours go by the page's names (`palette.with_names`): on a page, it
follows the page into the dark. The same figure gives the same bytes.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path as File
from textwrap import wrap
from typing import Any

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from imagen_lit.basics.atomic import atomic_write, write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.report import palette, plane_band
from imagen_lit.report.palette import INK, LINE, SOFT
from imagen_lit.report.plane_band import Row

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 4.6, 3.4  # inches: a phone shows it without shrinking its letters
DOTS = 200  # an inch of PNG
LETTERS, SMALL = 10, 8  # points
LINE_LENGTH, ACROSS, UP = 72, 50, 30  # letters in a line of the note and of the axes' names
SHADE = 0.18  # of a band, over what is behind it
SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "imagen_lit",
    "hatch.linewidth": 0.8,
    "font.family": "sans-serif",
}


def curves(lines: Mapping[str, Points], xlabel: str, ylabel: str) -> str:
    """Lines through points over a logarithmic axis, as an SVG element."""
    figure, axes = new(xlabel, ylabel)
    for number, (label, points) in enumerate(lines.items()):
        look = palette.look(number)
        xs, ys = [x for x, _ in points], [y for _, y in points]
        axes.plot(xs, ys, label=label, linewidth=1.6, color=look.colour, linestyle=look.dash)
    axes.set_yscale("log")
    if len(lines) > 1:
        legend(axes)
    return svg(figure)


def new(xlabel: str, ylabel: str, height: float = HEIGHT) -> tuple[Figure, Any]:
    """An empty figure with its axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel("\n".join(wrap(xlabel, ACROSS)), color=INK, fontsize=LETTERS)
    axes.set_ylabel("\n".join(wrap(ylabel, UP)), color=INK, fontsize=LETTERS)
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(color=SOFT, labelcolor=INK, labelsize=LETTERS - 1)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.locator_params(axis="x", nbins=6)  # more labels as wide as "150000" would overlap
    return figure, axes


def legend(axes: Any) -> None:
    """The names of the series, above the axes."""
    axes.figure.legend(
        loc="outside upper left",
        ncols=2,
        frameon=False,
        labelcolor=INK,
        fontsize=LETTERS - 1,
        handlelength=3,
    )


def note(figure: Figure, text: str) -> None:
    """A sentence in small letters below the axes."""
    lines = "\n".join(wrap(text, LINE_LENGTH))
    figure.supxlabel(lines, color=SOFT, fontsize=SMALL, x=0.01, ha="left", ma="left")


def whiskers(rows: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """From each value to the ends of its interval, as `errorbar` takes them; no length without."""
    ends = [(row["value"], *(row["interval"] or (row["value"],) * 2)) for row in rows]
    return [
        [max(0.0, value - low) for value, low, _ in ends],
        [max(0.0, high - value) for value, _, high in ends],
    ]


def band(axes: Any, xs: Sequence[Row], ys: Sequence[Row], colour: str) -> None:
    """Of a curve whose points are uncertain both ways."""
    corners = [each for each in plane_band.polygons(xs, ys) if len(each) > 2]
    if corners:
        parts = [Path(each, closed=True) for each in ([*c, c[0]] for c in corners)]
        area = Path.make_compound_path(*parts)
        axes.add_patch(PathPatch(area, facecolor=colour, alpha=SHADE, linewidth=0))


def svg(figure: Figure) -> str:
    """As an element for a page, as wide as its box."""
    text = _svg(figure)
    start = text.index("<svg")
    head, _, body = text[start:].partition(">")
    box = head[head.index('viewBox="') :].split('"')[1]
    return f'<svg class="chart drawn" viewBox="{box}" role="img" {SPACES}>{body}'


def write(figure: Figure, file: File) -> None:
    """Write it as .svg or .png, atomically."""
    if file.suffix == ".svg":
        write_text(file, _svg(figure))
    elif file.suffix == ".png":
        picture = io.BytesIO()
        with rc_context(STYLE):
            figure.set_dpi(DOTS)
            FigureCanvasAgg(figure).print_png(picture, metadata={"Software": None})
        with atomic_write(file) as handle:
            handle.write(picture.getvalue())
    else:
        raise InputError(f"{file} is no figure. Name a file that ends in .svg or .png.")


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return palette.with_names(text.getvalue())
