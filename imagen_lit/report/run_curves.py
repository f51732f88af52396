"""The curves of runs: losses, and the scores of previews. A run without any gets a sentence. The
losses are drawn by images; folded, also by time and by FLOPs, where the rows have them."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from imagen_lit.basics.short_form import quantity
from imagen_lit.report import chart, curve_axis, page
from imagen_lit.run.run_facts import RunFacts

NAMES = {"train/loss": "training", "val/loss": "validation"}
SCORE = "score/alignment_"


def losses(runs: Mapping[str, RunFacts]) -> str:
    """The losses of one run (label ""), or of several in one figure."""
    lines = {
        f"{label} {NAMES[metric]}".strip(): (run, run.series[metric])
        for label, run in runs.items()
        for metric in NAMES
        if _is_number(run, metric)
    }
    missing = [run for run in runs.values() if not any(_is_number(run, name) for name in NAMES)]
    words = "".join(f'<p class="soft">{escape(_why_none(run))}</p>' for run in missing)
    if not lines:
        return words
    return _by_all_axes("loss", lines) + words


def comparison(runs: Sequence[RunFacts]) -> str:
    """One loss of each of several runs."""
    lines = {run.name.rpartition("/")[2]: (run, run.series["val/loss"]) for run in runs}
    return _by_all_axes("validation loss", lines)


def _by_all_axes(title: str, lines: curve_axis.Lines) -> str:
    by_images = {label: points for label, (_, points) in lines.items()}
    figures = chart.curves(by_images, curve_axis.IMAGES, "loss")
    folded = "".join(chart.curves(along, name, "loss") for name, along in curve_axis.others(lines))
    if folded:
        figures += (
            f"<details><summary>by time and FLOPs of the training</summary>{folded}</details>"
        )
    return page.figure(title, figures)


def scores(run: RunFacts) -> str:
    """The scores of the previews by category, a figure for each protocol, as other prompts are
    another; empty without previews."""
    figures: dict[str, dict[str, chart.Points]] = {}
    for metric, points in sorted(run.series.items()):
        if metric.startswith(SCORE):
            category = metric.removeprefix(SCORE).partition(" ")[0]
            lines = figures.setdefault(run.protocols.get(metric, ""), {})
            lines[category] = points if category == "all" else [p[:2] for p in points]
    newest = run.protocols.get(f"{SCORE}all", "")
    return "".join(
        page.figure(
            f"held-out prompts drawn right{_drawn(run) if code == newest else ''}{_protocol(code)}",
            chart.shares(lines, "images seen", "exact"),
        )
        for code, lines in figures.items()
    )


def _drawn(run: RunFacts) -> str:
    keys = ("size", "prompts.count", "recipe.steps")
    size, count, steps = (run.setting(f"callbacks.preview.{key}") for key in keys)
    return f" at {size} × {size}, {count} prompts, {steps} steps" if count else ""


def _protocol(code: str) -> str:
    return f", protocol {code}" if code else ""


def measured(run: RunFacts) -> str:
    """What metrics measured of the previews, a figure for each score and protocol."""
    return "".join(
        page.figure(_title(run, metric), chart.curves({"": points}, "images seen", ""))
        for metric, points in sorted(run.series.items())
        if metric.startswith("score/") and not metric.startswith(SCORE)
    )


def _title(run: RunFacts, metric: str) -> str:
    name, code = metric.removeprefix("score/"), run.protocols.get(metric, "")
    return f"{name.partition(' ')[0]}{_protocol(code)}" if code else name


def _is_number(run: RunFacts, metric: str) -> bool:
    return any(math.isfinite(y) for _, y, *_ in run.series.get(metric, ()))


def _why_none(run: RunFacts) -> str:
    if NAMES.keys() & run.series.keys():
        return f"The loss of {run.name} is not a number."
    batch, every = run.setting("data.batch_size"), run.setting("trainer.log_every_n_steps")
    rule = ""
    if type(batch) is int and type(every) is int:
        rule = (
            f": one is written every {quantity(every * batch, 'image')} (trainer.log_every_n_steps)"
        )
    return f"{run.name} has no loss to show after {quantity(run.images, 'image')}{rule}."
