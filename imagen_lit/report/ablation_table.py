"""The tables of a figure: each arm beside the first, each point of each line, and the smallest
difference that the plan can show. On the page they are short; the CSV files have every digit."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imagen_lit.basics import rounding
from imagen_lit.evaluation import smallest_difference
from imagen_lit.evaluation.difference import Difference
from imagen_lit.evaluation.training_seeds import training_spread
from imagen_lit.report import ablation_comparison, ablation_figure
from imagen_lit.report.ablation_comparison import Comparison
from imagen_lit.report.ablation_marks import Marks
from imagen_lit.report.document import Block, Sheet, Table, Words

NONE = "–"
Three = tuple[float | None, float | None, float | None]  # a value and the ends of its interval
UNKNOWN: Three = (None, None, None)
SHEET: tuple[str, ...] = (
    "arm",
    "score",
    "mean",
    "low",
    "high",
    "trainings",
    "planned",
    "places",
    "first",
)
SHEET += ("minus_first", "minus_low", "minus_high", "p", "p_holm", "told_apart", "over", "protocol")
POINTS: tuple[str, ...] = ("arm", "place", "score", "mean", "low", "high", "trainings", "planned")
POINTS += ("minus_first", "minus_low", "minus_high", "protocol")


def arms(marks: Marks, comparisons: Sequence[Comparison], runs: Path) -> Iterator[Block]:
    """A table for each score, and what its numbers are."""
    first, sheet = marks.arms[0], []
    word = marks.spoken(first)
    heads = ("arm", "mean [95 %]", "trainings", f"minus {word} [95 %]", "chance (Holm)")
    for name in marks.scores:
        digest = marks.hash_of(name)
        title = f"{marks.words[name]}, protocol {digest}" if digest else marks.words[name]
        lines = [_arm(marks, name, arm, comparisons) for arm in marks.arms]
        prompts = [_prompts(marks, name, arm, comparisons, runs) for arm in marks.arms]
        verdict = f"from {word}"
        columns: tuple[str, ...] = (*heads, verdict)
        texts = [_texts(marks, line) for line in lines]
        if any(prompts):
            columns = (*columns, "over prompts [95 %]")
            texts = [(*text, own or NONE) for text, own in zip(texts, prompts, strict=True)]
        yield Words([f"{title}:"])
        yield Table(columns, texts)
        sheet += lines
    yield Words([_what(marks, comparisons), *shown(marks, comparisons)], "soft")
    yield Sheet(SHEET, sheet, f"{marks.figure.name}_arms")


def points(marks: Marks, runs: Path) -> list[Block]:
    """A row for each arm, place and score."""
    first, sheet = marks.arms[0], []
    for arm in marks.arms:
        for along in marks.places:
            for name in marks.scores:
                some = [mark.rows[name] for mark in marks.of(arm, along)]
                total = ablation_figure.total(some) if some else {"value": None, "interval": None}
                found = None
                if some and arm != first:
                    pair = first, arm
                    found = ablation_comparison.difference(marks, name, pair, runs, along)[1]
                counts = len(some), marks.planned_seeds
                value = total["value"], *(total["interval"] or (None, None))
                digest = marks.hash_of(name)
                sheet.append((arm, along, name, *value, *counts, *numbers(found), digest))
    heads = ("arm", marks.parameter or "point", "score", "mean [95 %]", "trainings")
    texts = [
        (
            marks.spoken(row[0]),
            *row[1:3],
            number((row[3], row[4], row[5])),
            f"{row[6]} of {row[7]}",
            number((row[8], row[9], row[10]), sign=True),
        )
        for row in sheet
    ]
    table = Table((*heads, f"minus {marks.spoken(first)} [95 %]"), texts)
    shown_table = [table] if marks.parameter else []
    return [*shown_table, Sheet(POINTS, sheet, f"{marks.figure.name}_points")]


def shown(marks: Marks, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """For each score, the smallest difference that this plan finds with 80 % chance."""
    tests = sum(each.is_tested for each in comparisons)
    for name in marks.scores:
        places = marks.places[-1:] if marks.in_time else marks.places
        spread = ablation_comparison.spread(marks, name, places)
        if marks.planned_seeds < 2 or not spread:
            why = "one training an arm" if marks.planned_seeds < 2 else "no arm has two trainings"
            yield f"The smallest difference in {name} that this plan can show is unknown ({why})."
            continue
        noise = smallest_difference.over_trainings(marks.planned_seeds, spread)
        alone = smallest_difference.smallest_difference(noise)
        among = smallest_difference.smallest_difference(noise, comparisons=max(1, tests))
        yield (
            f"Trainings of one arm differ in {name} by {spread:.2g} (standard deviation). With "
            f"{marks.planned_seeds} seeds an arm this plan shows, with 80 % chance, a difference "
            f"of {alone:.2g} between two arms chosen beforehand, and of {among:.2g} between any "
            "two of them."
        )


def _what(marks: Marks, comparisons: Sequence[Comparison]) -> str:
    place = "the last place" if marks.in_time else "the mean over the places"
    what = f"{place} of its line that both arms have" if marks.parameter else "its one mark"
    tests = sum(each.is_tested for each in comparisons)
    has_seeds = marks.planned_seeds > 1
    words = (
        f"Of each training, {what} counts. Two arms are told apart where the interval of their "
        f"difference over {'trainings' if has_seeds else 'prompts'} leaves out zero and chance, "
        f"after Holm's correction for all comparisons of this report ({tests:,} of them in this "
        "figure), is below 5 %."
    )
    also = (
        " “Over prompts”: the difference of these very trainings, prompt by prompt with the same "
        "seeds; it says nothing about other trainings."
    )
    alone = (
        " The arms have single trainings: what is told apart are these trainings, and the spread "
        "over prompts is not that over trainings."
    )
    return words + (also if has_seeds else alone)


def _of_first(
    marks: Marks, name: str, arm: str, comparisons: Sequence[Comparison]
) -> Comparison | None:
    pair = marks.arms[0], arm
    return next((each for each in comparisons if (each.metric, each.pair) == (name, pair)), None)


def _arm(marks: Marks, name: str, arm: str, comparisons: Sequence[Comparison]) -> tuple[Any, ...]:
    """A row of SHEET."""
    own = _of_first(marks, name, arm, comparisons)
    there = [place for place in marks.places if marks.of(arm, place)]
    places = own.places if own and own.places else tuple(there[-1:] if marks.in_time else there)
    values = list(ablation_comparison.totals(marks, name, arm, places).values()) if places else []
    mean = UNKNOWN
    if values:
        spread = training_spread([[value] for value in values])
        mean = (spread.mean, *(spread.interval or (None, None)))
    verdict = None if own is None else own.verdict
    tested: tuple[Any, ...] = (None, None, "", "")
    if own is not None and verdict is not None:
        apart = ("yes" if own.is_apart else "no") if own.is_tested else "untested"
        tested = verdict.difference.p_value, verdict.chance, apart, own.over
    found = None if verdict is None else verdict.difference
    counts = len(values), marks.planned_seeds, " ".join(places)
    minus = (marks.arms[0], *numbers(found))
    return arm, name, *mean, *counts, *minus, *tested, marks.hash_of(name)


def _texts(marks: Marks, row: tuple[Any, ...]) -> tuple[str, ...]:
    """A row of SHEET for people."""
    cells = dict(zip(SHEET, row, strict=True))
    verdict = {
        "yes": "can be told apart",
        "no": "cannot be told apart",
        "untested": "no interval is known",
    }
    count, of_all = len(cells["places"].split()), 1 if marks.in_time else len(marks.places)
    some = f", at {count} of {of_all} places" if count < of_all and marks.parameter else ""
    if cells["told_apart"] == "untested" and cells["minus_low"] is not None:
        verdict["untested"] = "not tested, interval from both"
    is_among = cells["over"] == "prompts" and cells["minus_low"] is not None
    among = ", over prompts" if is_among else ""
    is_first = cells["arm"] == cells["first"]
    minus = cells["minus_first"], cells["minus_low"], cells["minus_high"]
    return (
        marks.spoken(cells["arm"]),
        number((cells["mean"], cells["low"], cells["high"])),
        f"{cells['trainings']} of {cells['planned']}{some}",
        number(minus, sign=True),
        _chance(cells["p_holm"]),
        NONE if is_first else verdict.get(cells["told_apart"], "not yet") + among,
    )


def _chance(chance: float | None) -> str:
    if chance is None:
        return NONE
    return "< 0.001" if chance < 0.001 else f"{chance:.2g}"


def _prompts(
    marks: Marks, name: str, arm: str, comparisons: Sequence[Comparison], runs: Path
) -> str:
    """The difference over prompts, where that over trainings is known too."""
    own = _of_first(marks, name, arm, comparisons)
    if own is None or own.over != "trainings":
        return ""
    found = ablation_comparison.over_prompts(marks, name, own.pair, own.places, runs)
    return number(numbers(found), sign=True) if found and found.interval else ""


def numbers(found: Difference | None) -> Three:
    """Of a difference."""
    return UNKNOWN if found is None else (found.value, *(found.interval or (None, None)))


def number(three: Three, sign: bool = False) -> str:
    """A value with the ends of its interval, where they are known."""
    value, low, high = three
    if value is None:
        return NONE
    interval = None if low is None or high is None else (low, high)
    plus = "+" if sign and value > 0 else ""
    return f"{plus}{rounding.with_interval(value, interval)}".replace("-", "−")
