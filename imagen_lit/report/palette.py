"""The looks of the series of a figure: a colour, and beside it a marker, a dash and a hatch, so
that a print without colours tells them apart too.

The colours are those of `page.css`, and are told apart by people without red or green cones
(`tests/report/test_palette.py`). An SVG names them as the page does, so that it follows the page
into the dark; by itself it has those of a bright page.
"""

import re
from dataclasses import dataclass

from imagen_lit.report.page import STYLE

_ROOT = STYLE.partition("@media")[0]  # the bright page comes first
COLOURS = {
    name: value if len(value) == 7 else "#" + "".join(2 * digit for digit in value[1:])
    for name, value in re.findall(r"--(\w+): (#[0-9a-f]{3,6});", _ROOT)
}
INK, SOFT, LINE, PAPER = (COLOURS[name] for name in ("ink", "soft", "line", "paper"))

Dash = str | tuple[int, tuple[float, ...]]  # as matplotlib has it


@dataclass(frozen=True)
class Look:
    """How matplotlib draws one series."""

    colour: str
    marker: str
    dash: Dash
    hatch: str


_SHAPES: tuple[tuple[str, Dash, str], ...] = (
    ("o", "solid", ""),
    ("s", (0, (5, 2)), "////"),
    ("^", (0, (1, 1.5)), "...."),
    ("D", (0, (6, 1.5, 1, 1.5)), "xxxx"),
    ("v", (0, (10, 3)), "\\\\\\\\"),
    ("P", (0, (3, 1.5, 1, 1.5, 1, 1.5)), "----"),
    ("X", (0, (3, 4)), "||||"),
    ("*", (0, (1, 4)), "oooo"),
)
LOOKS = tuple(Look(COLOURS[f"c{number}"], *shape) for number, shape in enumerate(_SHAPES))


def look(number: int) -> Look:
    """That of a series, counted from 0."""
    return LOOKS[number % len(LOOKS)]


def with_names(svg: str) -> str:
    """The SVG with the page's names of its colours: `#fff` as `var(--paper, #fff)`."""
    names = {value: name for name, value in COLOURS.items()}
    return re.sub(
        r"#[0-9a-f]{6}\b",
        lambda match: f"var(--{names[match[0]]}, {match[0]})" if match[0] in names else match[0],
        svg,
    )
