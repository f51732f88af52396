"""The demo's results, collected from its folder for the page."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_lit.report import figure, page
from imagen_lit.run import metrics, run_folder
from imagen_lit.run.time_budget import TimeBudget


def write(
    home: Path,
    scores: Mapping[str, Any],
    guidance: Mapping[str, Any],
    images: Mapping[str, int],
    budget: TimeBudget,
) -> Path:
    """The page, and the grid beside it; `images` is how many each stage has seen."""
    stages = list(images)
    samples = _samples(home / "evaluation", stages)
    file = home / "index.html"
    counts = ", ".join(f"{stage} {count:,}" for stage, count in images.items())
    page.write(
        file,
        "A text-to-image cascade trained on this machine",
        f"Three stages, 16 → 64 → 256, trained in {budget.spent / 60:.1f} minutes in all on "
        f"{os.cpu_count()} CPU cores ({budget.record['minutes']:g} were given). Images seen: "
        f"{counts}.",
        scores["score/alignment"],
        samples,
        _plots(home, stages),
        guidance,
        budget.times,
    )
    last = [sample["images"][stages[-1]] for sample in samples[:24]]
    figure.grid(last, 8, 128, home / "grid.png")
    return file


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
        for result in last[:36]
    ]


def _plots(home: Path, stages: list[str]) -> list[tuple[str, str]]:
    """(title, SVG) of the losses, and of the scores of the previews."""
    rows = {stage: metrics.read(home / stage) for stage in stages}
    losses = {
        f"{stage} {name}": [(r["images"], r[f"{name}/loss"]) for r in own if f"{name}/loss" in r]
        for stage, own in rows.items()
        for name in ("train", "val")
    }
    losses = {label: points for label, points in losses.items() if points}
    plots = [("loss", figure.curves(losses, "images seen", "loss"))]
    keys = sorted({key for row in rows["base"] for key in row if key.startswith("score/")})
    scores = {
        key.removeprefix("score/alignment_"): [
            (row["images"], *row[key]) for row in rows["base"] if key in row
        ]
        for key in keys
    }
    if scores:
        plots.append((_preview_title(home / "base"), figure.bands(scores, "images seen", "exact")))
    return plots


def _preview_title(run: Path) -> str:
    preview = run_folder.read_settings(run)["callbacks"]["preview"]
    size, count, steps = preview["size"], preview["prompts"]["count"], preview["recipe"]["steps"]
    return f"held-out prompts right at {size} × {size}, {count} prompts, {steps} steps"
