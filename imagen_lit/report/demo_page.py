"""The demo's page, collected from its folder: prompts with their images, scores, guidance, losses
and times. It is made of the same pieces as the page of runs.
"""

import json
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from imagen_lit.basics import pixels
from imagen_lit.basics.captioned_grid import Captioned, captioned_grid
from imagen_lit.report import (
    measured_table,
    page,
    run_curves,
    run_scores,
    score_bars,
    score_table,
)
from imagen_lit.run import evaluation_facts, run_facts
from imagen_lit.run.time_budget import TimeBudget

SHOWN, FIRST, GRID = 36, 12, 24  # prompts on the page, of them not folded away; in the grid
EDGES = (48, 80, 160)  # pixels by stage


def write(
    home: Path,
    scores: Mapping[str, Any],
    guidance: Mapping[str, Any],
    images: Mapping[str, int],
    budget: TimeBudget,
) -> Path:
    """The page, and the grid beside it; `images` is how many each stage has seen.

    `guidance`: {prompt, weights, rows: {threshold: [file, ...]}}.
    """
    stages = list(images)
    samples = _samples(home / "evaluation", stages)
    file = home / "index.html"
    counts = ", ".join(f"{stage} {count:,}" for stage, count in images.items())
    title = "A text-to-image cascade trained on this machine"
    lead = (
        f"Three stages, 16 → 64 → 256, trained for {budget.trained / 60:.1f} minutes. With all "
        f"else, this demo took {budget.spent / 60:.1f} minutes on {os.cpu_count()} CPU cores; "
        f"{budget.record['minutes']:g} minutes were given. Images seen: {counts}."
    )
    body = [
        page.head(title, lead, [("../index.html", "all runs")]),
        f'<p class="wrong">{escape(budget.warning)}</p>' if budget.warning else "",
        _prompts(samples, home),
        _scores(scores["score/alignment"]),
        _guidance(guidance, home),
        _measured(scores),
        _trade_off(home, stages),
        _learning(home, stages),
        _times(budget.times),
    ]
    page.write(file, "demo", title, body)
    items = [
        Captioned(
            [Image.fromarray(pixels.load_png(each["images"][stages[-1]]))],
            each["prompt"],
            _verdict(each),
        )
        for each in samples[:GRID]
    ]
    pixels.save_png(captioned_grid(items, columns=8, edge=128), home / "grid.png")
    return file


def _verdict(sample: Mapping[str, Any]) -> str:
    return "right" if sample["right"] else "wrong"


def _samples(folder: Path, stages: list[str]) -> list[dict[str, Any]]:
    """The first prompts of the evaluation, with the image of each stage."""
    lines = (folder / "results.jsonl").read_text().splitlines()
    results = [json.loads(line) for line in lines]
    files = {(r["stage"], r["prompt"], r["seed"]): folder / r["image"] for r in results}
    last = [result for result in results if result["stage"] == stages[-1]]
    return [
        {
            "prompt": result["prompt"],
            "category": result["category"],
            "right": result["matches"]["exact"],
            "images": {stage: files[stage, result["prompt"], result["seed"]] for stage in stages},
        }
        for result in last[:SHOWN]
    ]


def _scores(scores: Mapping[str, Any]) -> str:
    words = (
        "Share of held-out prompts whose image shows every colour, shape, count and relation "
        "named, and nothing else, as read by the exact reader: the mark on each line, within its "
        "95 % interval (Wilson). Words are reported for interest."
    )
    return page.section("Do the images match their captions?", score_table.html(scores), words)


def _measured(scores: Mapping[str, Any]) -> str:
    words = (
        "What metrics measured of each stage's images, with 95 % intervals: an axis for each "
        "stage, as images of another size are another protocol. docs/evaluation.md has what else "
        "can be measured."
    )
    rows, protocols = scores.get("scores", []), scores.get("protocols", {})
    table = measured_table.html(rows, protocols, scores.get("score/alignment", {}))
    bars = score_bars.html([(row["stage"], row) for row in rows], protocols)
    return page.section("What was measured", bars + table, words) if table else ""


def _trade_off(home: Path, stages: Sequence[str]) -> str:
    """Of the last stage of which several evaluations of the demo have both scores."""
    files = sorted(home.rglob(evaluation_facts.FILE))
    read = [evaluation_facts.read(file.parent, file.parent.name) for file in files]
    evaluations = [each for each in read if each is not None]
    words = (
        "Every evaluation below this folder that has both scores, under the protocols of most. "
        "docs/evaluation.md says how to make them."
    )
    for stage in reversed(stages):
        if chart := run_scores.trade_off([(e, stage) for e in evaluations if stage in e.runs]):
            return page.section(f"Quality against alignment: {stage}", chart, words)
    return ""


def _prompts(samples: Sequence[Mapping[str, Any]], home: Path) -> str:
    cards = []
    for sample in samples:
        images = "".join(
            page.image(file, home, stage, edge)
            for (stage, file), edge in zip(sample["images"].items(), EDGES, strict=False)
        )
        verdict = _verdict(sample)
        line = f'{escape(sample["category"])} · <span class="{verdict}">{verdict}</span>'
        cards.append(
            f'<div class="card"><div class="row">{images}</div>'
            f'<div class="caption">{escape(sample["prompt"])}</div>'
            f'<div class="soft">{line}</div></div>'
        )
    words = "The first in the list, not hand-picked. Each at all resolutions of the cascade."
    shown, rest = cards[:FIRST], cards[FIRST:]
    html = f'<div class="cards">{"".join(shown)}</div>'
    if rest:
        more = f'<div class="cards">{"".join(rest)}</div>'
        html += f"<details><summary>{len(rest)} more</summary>{more}</details>"
    return page.section("Prompts that training never showed", html, words)


def _guidance(guidance: Mapping[str, Any], home: Path) -> str:
    head = "".join(f"<th>w = {weight:g}</th>" for weight in guidance["weights"])
    rows = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(f"<td>{page.image(file, home, '', 112)}</td>" for file in files)
        + "</tr>"
        for name, files in guidance["rows"].items()
    )
    table = f'<div class="wide"><table class="grid"><tr><th></th>{head}</tr>{rows}</table></div>'
    words = (
        f"“{guidance['prompt']}”, the same seed throughout, base stage guided with weight w and "
        "its clean estimates bounded in two ways (Imagen § 2.3, figs. A.9 and A.10)."
    )
    return page.section("Guidance and thresholding", table, words)


def _learning(home: Path, stages: Sequence[str]) -> str:
    runs = {stage: run_facts.read(home / stage, stage) for stage in stages}
    figures = run_curves.losses(runs) + run_curves.scores(runs[stages[0]])
    return page.section("How it learnt", f'<div class="plots">{figures}</div>')


def _times(times: Sequence[tuple[str, float]]) -> str:
    rows = [(step, f"{seconds:.0f} s") for step, seconds in times]
    total = sum(seconds for _, seconds in times)
    table = page.table(("step", "time"), [*rows, ("in all", f"{total / 60:.1f} min")])
    return page.section("Where the time went", table)
