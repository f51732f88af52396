"""Draw the rooms of the package, and which imports which, from the code's own imports.

    python docs/draw_rooms.py            # writes docs/architecture.svg
    python docs/draw_rooms.py --check    # exits with 1 if the file is out of date

A room is a folder of imagen_lit; the commands are the files next to them. A room is one floor above
the highest room that it imports, so every arrow points down. An arrow that follows from two others
(a imports b, b imports c, so a may import c) is left out of the drawing.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "imagen_lit"
TARGET = DOCS / "architecture.svg"

WIDTH, BOX, FLOOR, MARGIN = 1080, (132, 46), 96, 24
COMMAND, ROOM = "#fbe7c6", "#dbe9f6"


def imports(path: Path) -> Iterator[str]:
    """The parts of imagen_lit that a file imports: `data`, `train` …"""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "imagen_lit":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imagen_lit."):
            yield node.module.split(".")[1]


def graph() -> dict[str, set[str]]:
    """Each room or command, and what it imports."""
    arrows: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if part != "__init__":
            arrows.setdefault(part, set()).update(set(imports(path)) - {part})
    return arrows


def floors(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Each part's floor: one above the highest part that it imports."""
    heights: dict[str, int] = {}
    while len(heights) < len(arrows):
        ready = [p for p in arrows if p not in heights and arrows[p] <= heights.keys()]
        if not ready:
            raise SystemExit(f"a circle of imports among {sorted(arrows.keys() - heights.keys())}")
        for part in ready:
            heights[part] = 1 + max((heights[below] for below in arrows[part]), default=-1)
    return heights


def direct(arrows: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The arrows that do not follow from others."""

    def reach(part: str) -> set[str]:
        return arrows[part].union(*(reach(below) for below in arrows[part]))

    return [
        (part, below)
        for part in sorted(arrows)
        for below in sorted(arrows[part])
        if not any(below in reach(other) for other in arrows[part] - {below})
    ]


def places(
    heights: dict[str, int], arrows: list[tuple[str, str]]
) -> dict[str, tuple[float, float]]:
    """The centre of each box: floors from the bottom up, each part near what it imports."""
    top = max(heights.values())
    centres: dict[str, tuple[float, float]] = {}

    def mean_below(part: str) -> float:
        below = [centres[target][0] for source, target in arrows if source == part]
        return sum(below) / len(below) if below else 0.0

    for height in range(top + 1):
        row = [part for part in heights if heights[part] == height]
        row.sort(key=lambda part: (mean_below(part), part))
        gap = (WIDTH - 2 * MARGIN) / len(row)
        for i, part in enumerate(row):
            centres[part] = (MARGIN + gap * (i + 0.5), MARGIN + FLOOR * (top - height + 0.5))
    return centres


def lines(part: str) -> int:
    """Lines of Python in a room or command."""
    files = (
        (PACKAGE / part).rglob("*.py") if (PACKAGE / part).is_dir() else [PACKAGE / f"{part}.py"]
    )
    return sum(len(file.read_text().splitlines()) for file in files)


def draw() -> str:
    """The drawing as SVG text."""
    imported = graph()
    heights, arrows = floors(imported), direct(imported)
    centres, (width, height) = places(heights, arrows), BOX
    size = (WIDTH, 2 * MARGIN + FLOOR * (max(heights.values()) + 1))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        'font-family="sans-serif" text-anchor="middle">',
        '<rect width="100%" height="100%" fill="white"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#667"/></marker>',
    ]
    for part, below in arrows:
        (x, y), (x2, y2) = centres[part], centres[below]
        y, y2 = y + height / 2, y2 - height / 2
        bend = (y2 - y) / 2
        parts.append(
            f'<path d="M{x:.0f},{y:.0f} C{x:.0f},{y + bend:.0f} {x2:.0f},{y2 - bend:.0f} '
            f'{x2:.0f},{y2:.0f}" fill="none" stroke="#667" opacity="0.7" marker-end="url(#tip)"/>'
        )
    for part, (x, y) in sorted(centres.items()):
        is_room = (PACKAGE / part).is_dir()
        parts.append(
            f'<rect x="{x - width / 2:.0f}" y="{y - height / 2:.0f}" width="{width}" '
            f'height="{height}" rx="6" fill="{ROOM if is_room else COMMAND}" stroke="#445"/>'
            f'<text x="{x:.0f}" y="{y:.0f}" font-size="15">{part}{"/" if is_room else ""}</text>'
            f'<text x="{x:.0f}" y="{y + 15:.0f}" font-size="11" fill="#556">{_round(lines(part))} '
            "lines</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _round(count: int) -> int:
    """Round to two digits, so that the drawing changes only when the code really does."""
    step = 100 if count >= 1000 else 50
    return max(step, round(count / step) * step)


def main() -> None:
    """Write the drawing, or compare it with the file."""
    if "--check" not in sys.argv:
        TARGET.write_text(draw())
    elif not TARGET.is_file() or TARGET.read_text() != draw():
        sys.exit(f"{TARGET.name} is out of date with the imports. Type make rooms.")


if __name__ == "__main__":
    main()
