"""A figure of the paper, redrawn from an ablation: a line for each arm, with 95 % intervals over
training seeds, or over prompts where an arm has a single training; behind it, what the paper
prints.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from imagen_lit.ablation.axis import CLOCKS
from imagen_lit.evaluation.training_seeds import training_spread
from imagen_lit.report import figure, palette
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.report.arm_name import is_number
from imagen_lit.report.palette import SOFT
from imagen_lit.report.trade_off_curve import FAR, outwards

WIDE = 40  # letters of all labels below an axis, before they are turned
LEGEND = 0.17  # inches of a line of the legend
WIDELY = 8  # an axis whose last value is so many times its first shows doublings alike
LABELS = 16  # with more marks, only the ends of a line are labelled
UNITS = {"images": "images seen", "seconds": "seconds of training", "flops": "FLOPs of training"}


@dataclass(frozen=True)
class Spot:
    """A mark of a line: x and y as rows of `value` and `interval`, over so many trainings."""

    along: str
    x: Mapping[str, Any]
    y: Mapping[str, Any]
    trainings: int


def draw(marks: Marks, published: Sequence[Mapping[str, Any]] = ()) -> Figure | None:
    """The figure; None while there is no mark. `published`: rows of metric, name and value."""
    lines = {arm: spots(marks, arm) for arm in marks.arms}
    if not any(lines.values()):
        return None
    y_name = marks.scores[0]
    is_plain = len(marks.scores) > 1
    height = figure.HEIGHT + LEGEND * max(0, len(lines) // 2 - 2)
    drawing, axes = figure.new(_x_words(marks), marks.words[y_name], height)
    for row in published:
        if row["metric"] == y_name:
            axes.axhline(row["value"], color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
            axes.annotate(
                f"{row['name']} {row['value']:g}",
                (1, row["value"]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                color=SOFT,
                fontsize=figure.SMALL,
            )
    for number, (arm, line) in enumerate(lines.items()):
        look = palette.look(number)
        style: dict[str, Any] = {
            "color": look.colour,
            "linestyle": look.dash if marks.parameter else "none",
            "marker": look.marker,
            "markersize": 4.5,
            "markerfacecolor": look.colour if number < len(palette.LOOKS) else "none",
            "linewidth": 1.4,
            "label": _label(marks, arm, line),
        }
        xs, ys = ([each["value"] for each in side] for side in _sides(line))
        if len(line) < 2:
            across = figure.whiskers([spot.x for spot in line]) if is_plain else None
            up = figure.whiskers([spot.y for spot in line])
            axes.errorbar(xs, ys, xerr=across, yerr=up, elinewidth=0.9, capsize=2, **style)
        else:
            banded = line if is_plain else [spot for spot in line if spot.y["interval"]]
            figure.band(axes, *_sides(banded), look.colour)
            axes.plot(xs, ys, **style)
    axes.margins(0.08)
    if is_plain and marks.parameter:
        _numbers(axes, lines)
    if not is_plain and len(values := _values(marks)) > 2 and values[-1] >= WIDELY * values[0] > 0:
        axes.set_xscale("log", base=2)
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
    if not is_plain and (names := _names(marks)):
        is_wide = len("".join(names)) > WIDE
        axes.set_xticks(range(len(names)), names)
        if is_wide:
            axes.tick_params(axis="x", labelrotation=35)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
    if len(lines) > 1:
        figure.legend(axes)
    figure.note(drawing, _note(marks, lines, is_plain))
    return drawing


def title(marks: Marks) -> str:
    """What is drawn against what."""
    return f"{marks.words[marks.scores[0]]} against {_x_words(marks)}"


def spots(marks: Marks, arm: str) -> list[Spot]:
    """The marks of an arm, place by place, each over all of its trainings."""
    y_name, names = marks.scores[0], _names(marks)
    line = []
    for number, along in enumerate(marks.places):
        some = marks.of(arm, along)
        if not some:
            continue
        y = total([mark.rows[y_name] for mark in some])
        if marks.figure.x in CLOCKS:
            clock = [mark.clock[marks.figure.x] for mark in some if marks.figure.x in mark.clock]
            if not clock:
                continue
            x: Mapping[str, Any] = {"value": sum(clock) / len(clock), "interval": None}
        elif len(marks.scores) > 1:
            x = total([mark.rows[marks.scores[1]] for mark in some])
        elif marks.columns:
            label = marks.columns[arm]
            x = {"value": float(names.index(label)) if names else float(label), "interval": None}
        else:
            x = {"value": float(number) if names else float(along), "interval": None}
        line.append(Spot(along, x, y, len({mark.seed for mark in some})))
    return line


def total(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean over trainings with its interval; of a single one, its own."""
    if len(rows) == 1:
        return {"value": float(rows[0]["value"]), "interval": rows[0]["interval"]}
    spread = training_spread([[float(row["value"])] for row in rows])
    return {"value": spread.mean, "interval": spread.interval}


def _sides(line: Sequence[Spot]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    return [spot.x for spot in line], [spot.y for spot in line]


def _names(marks: Marks) -> tuple[str, ...]:
    """What stands along x as words, where it is no number."""
    if marks.figure.x in CLOCKS:
        return ()
    labels = tuple(dict.fromkeys(marks.columns.values())) or marks.places
    return () if all(map(is_number, labels)) else labels


def _values(marks: Marks) -> list[float]:
    """What stands along x as numbers of an axis, from the smallest."""
    if marks.figure.x in CLOCKS or _names(marks):
        return []
    labels = {*marks.columns.values()} or {*marks.places}
    return sorted(float(label) for label in labels - {""})


def _x_words(marks: Marks) -> str:
    x = marks.figure.x
    if x in CLOCKS:
        return UNITS[x]
    return marks.words[marks.scores[1]] if len(marks.scores) > 1 else x


def _label(marks: Marks, arm: str, line: Sequence[Spot]) -> str:
    """The arm; with how many of its trainings there are, where some lack."""
    least = min((spot.trainings for spot in line), default=0)
    name = marks.spoken(arm)
    if least == marks.planned_seeds and len(line) == len(marks.places):
        return name
    if not line:
        return f"{name} (nothing yet)"
    lack = f"{least} of {marks.planned_seeds} seeds" if least < marks.planned_seeds else ""
    places = f"{len(line)} of {len(marks.places)} points" if len(line) < len(marks.places) else ""
    return f"{name} ({', '.join(filter(None, [lack, places]))})"


def _note(marks: Marks, lines: Mapping[str, Sequence[Spot]], is_plain: bool) -> str:
    counts = sorted({spot.trainings for line in lines.values() for spot in line})
    is_banded = any(len(line) > 1 for line in lines.values())
    shown = "Bands" if is_banded else "Whiskers"
    ways = " both ways," if is_banded and is_plain else ""
    over = []
    if counts[-1] > 1:
        over.append("over training seeds (t)")
    if counts[0] == 1:
        over.append("of single trainings: over prompts")
    words = f"{shown}: 95 % intervals{ways} {', '.join(over)}."
    if is_plain and marks.parameter:
        words = f"Numbers at the points: {marks.parameter}. {words}"
    hashes = [f"{name} {marks.hash_of(name)}" for name in marks.scores if marks.hash_of(name)]
    return f"{words} Protocols: {', '.join(hashes)}." if hashes else words


def _numbers(axes: Any, lines: Mapping[str, Sequence[Spot]]) -> None:
    """The place of each mark beside it, away from its line."""
    is_full = sum(map(len, lines.values())) > LABELS
    for number, line in enumerate(lines.values()):
        places = [(spot.x["value"], spot.y["value"]) for spot in line]
        shown = [tuple(axes.transLimits.transform(place)) for place in places]
        for nth, (spot, place, way) in enumerate(zip(line, places, outwards(shown), strict=True)):
            if is_full and nth not in (0, len(line) - 1):
                continue
            axes.annotate(
                spot.along,
                place,
                xytext=(FAR * way[0], FAR * way[1]),
                textcoords="offset points",
                ha="center",
                va="center",
                color=palette.look(number).colour,
                fontsize=figure.SMALL,
            )
