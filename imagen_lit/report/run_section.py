"""One run on the page of runs: its curves, preview sheets, health, and the settings that differ."""

import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

from imagen_lit.report import (
    deviation_table,
    health_table,
    page,
    run_columns,
    run_curves,
    run_scores,
)
from imagen_lit.report.differing_settings import Difference
from imagen_lit.report.run_columns import Evaluations
from imagen_lit.run.run_facts import RunFacts

SHEETS, SETTINGS = 3, 10  # so many are shown; further settings after a click

GOOD, BAD = ("finished", "running"), ("failed", "killed", "unknown")


def html(
    run: RunFacts,
    place: str,
    differences: Sequence[Difference],
    evaluations: Evaluations,
    samples: Sequence[Path],
    folder: Path,
    now: float,
) -> str:
    """`place`: its anchor on the page in `folder`."""
    texts = run_columns.columns(run, evaluations, now)
    facts = [f"{name} {texts[name]}" for name in run_columns.COLUMNS[1:-1] if texts[name]]
    if run.changed:
        at = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed))
        facts.append(f"last change {at}")
    return (
        f'<section class="run" id="{place}"><h3>{escape(run.name)} {state(run)}</h3>'
        f'<p class="soft">{escape(" · ".join(facts))}</p>{problems(run)}'
        f'<div class="plots">{run_curves.losses({"": run})}{run_curves.scores(run)}'
        f"{run_curves.measured(run)}"
        f"{_settings(differences)}{health_table.html(run)}</div>"
        f"{deviation_table.html(run.settings)}{_previews(run, folder)}"
        f"{sheets(samples, folder)}{_evaluations(evaluations)}{run_scores.html(evaluations)}"
        "</section>"
    )


def state(run: RunFacts) -> str:
    """The state as a small mark."""
    mood = "good" if run.state.word in GOOD else "bad" if run.state.word in BAD else "calm"
    return f'<span class="state {mood}">{escape(str(run.state))}</span>'


def problems(run: RunFacts) -> str:
    """What went wrong, in sentences."""
    return "".join(f'<p class="wrong">{escape(each)}</p>' for each in run_columns.problems(run))


def sheets(files: Sequence[Path], folder: Path) -> str:
    """Contact sheets of samples, each named after how they were drawn; nothing without any."""
    pictures = "".join(
        page.figure(f"samples: {file.parent.name}", page.image(file, folder, "samples"))
        for file in files
    )
    return f'<div class="sheets">{pictures}</div>' if pictures else ""


def _previews(run: RunFacts, folder: Path) -> str:
    """The first sheet, one from the middle, and the last."""
    count = len(run.previews)
    chosen = sorted({0, count // 2, count - 1})[-SHEETS:] if count else []
    pictures = "".join(
        page.figure(
            f"previews after {run.previews[number][0]:,} images",
            page.image(run.previews[number][1], folder, "prompts, drawn by the EMA"),
        )
        for number in chosen
    )
    return f'<div class="sheets">{pictures}</div>' if pictures else ""


def _settings(differences: Sequence[Difference]) -> str:
    if not differences:
        return ""
    heads = ("setting", "here", "others")
    table = page.table(heads, differences[:SETTINGS])
    if more := differences[SETTINGS:]:
        table += f"<details><summary>{len(more)} more</summary>{page.table(heads, more)}</details>"
    return page.figure("settings that differ", table)


def _evaluations(evaluations: Evaluations) -> str:
    lines = []
    for evaluation, stage in evaluations:
        after = evaluation.images.get(stage)
        when = f" after {after:,} images" if after is not None else ""
        line = f"evaluation {evaluation.name}, as {stage}{when}: "
        if row := evaluation.scores.get(stage, {}).get("all"):
            low, high = row["interval"]
            line += f"{row['exact']:.3f} [{low:.3f}, {high:.3f}] of {row['n']:,} prompts"
        else:
            line += f"{evaluation.prompts:,} prompts, not scored"
        lines.append(line)
    return "".join(f"<p>{escape(line)}</p>" for line in lines)
