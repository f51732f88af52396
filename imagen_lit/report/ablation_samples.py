"""What the arms drew: a row for each of them, with the same prompts and seeds as columns. The
images of a row are one picture, so that a report is a few files.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image

from imagen_lit.basics import pixels, png_metadata
from imagen_lit.basics.short_form import shorten
from imagen_lit.basics.tile import tile
from imagen_lit.report.ablation_marks import Mark, Marks
from imagen_lit.report.document import Block, Raw, Words, plain
from imagen_lit.run import evaluation_facts

PROMPTS, ROWS = 8, 12  # columns and rows, at most
EDGE, GAP = 96, 6  # pixels of an image, and between two
Request = tuple[str, int]


def blocks(marks: Marks, stage: str, runs: Path) -> list[Block]:
    """The sheet of a figure; a sentence where nothing was drawn for all."""
    chosen = _rows(marks)
    files = {
        name: evaluation_facts.images(runs / mark.cell, stage) for name, mark in chosen.items()
    }
    files = {name: own for name, own in files.items() if own}
    common = _common(list(files.values()))
    if not common:
        return [Words(["There are no images of common prompts and seeds to show yet."], "soft")]
    seed = min(mark.seed for mark in chosen.values())
    strips = {name: _strip([own[each] for each in common]) for name, own in files.items()}
    names = {label: f"samples/{marks.figure.name}_{n}.png" for n, label in enumerate(strips)}

    def put(folder: Path) -> None:
        for label, strip in strips.items():
            pixels.save_png(strip, folder / names[label])

    words = f"The first prompts that all have, of the trainings with seed {seed}; not hand-picked."
    return [Words([words], "soft"), Raw(_html(common, names), _markdown(common, names), put)]


def _rows(marks: Marks) -> dict[str, Mark]:
    """Which drawings are shown: those of the lowest training seed; all places where they are few,
    else the last of each arm."""
    if not marks.marks:
        return {}
    lowest: dict[tuple[str, str], Mark] = {}
    for mark in sorted(marks.marks, key=lambda mark: mark.seed):
        lowest.setdefault((mark.arm, mark.along), mark)
    is_few = len(marks.arms) * len(marks.places) <= ROWS
    rows: dict[str, Mark] = {}
    for arm in marks.arms:
        own = [(place, lowest[arm, place]) for place in marks.places if (arm, place) in lowest]
        for place, mark in own if is_few else own[-1:]:
            name = marks.spoken(arm)
            rows[f"{name}, {marks.parameter} {place}" if place else name] = mark
    return rows


def _common(sides: Sequence[Mapping[Request, Path]]) -> list[Request]:
    """The first requests that all have, each prompt once."""
    if not sides:
        return []
    chosen: dict[str, Request] = {}
    for request in sides[0]:
        if all(request in side for side in sides):
            chosen.setdefault(request[0], request)
    return list(chosen.values())[:PROMPTS]


def _strip(files: Sequence[Path]) -> Image.Image:
    strip = Image.new("RGBA", (len(files) * (EDGE + GAP) - GAP, EDGE))
    for number, file in enumerate(files):
        if (image := _image(file)) is not None:
            strip.paste(tile(image, EDGE), (number * (EDGE + GAP), 0))
    return strip


def _image(file: Path) -> Image.Image | None:
    """None of a file that is no image of ours, or was cut short: its place stays empty."""
    return None if png_metadata.read(file) is None else Image.fromarray(pixels.load_png(file))


def _html(common: Sequence[Request], names: Mapping[str, str]) -> str:
    width = len(common) * (EDGE + GAP) - GAP
    heads = "".join(
        f'<span style="width:{EDGE}px">{escape(shorten(prompt))}</span>' for prompt, _ in common
    )
    rows = "".join(
        f"<h4>{escape(label)}</h4>"
        f'<img src="{file}" width="{width}" height="{EDGE}" loading="lazy" alt="{escape(label)}">'
        for label, file in names.items()
    )
    top = f'<div class="prompts" style="width:{width}px">{heads}</div>'
    return f'<div class="wide strips">{top}{rows}</div>'


def _markdown(common: Sequence[Request], names: Mapping[str, str]) -> str:
    columns = "; ".join(f"{n}. {plain(prompt)}" for n, (prompt, _) in enumerate(common, 1))
    rows = "\n".join(f"| {plain(label)} | ![]({file}) |" for label, file in names.items())
    return f"Columns: {columns}\n\n| arm | images |\n| --- | --- |\n{rows}"
