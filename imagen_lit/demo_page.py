"""What the demo has to show, gathered from its folder for the page."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_lit import run_folder
from imagen_lit.demo_plan import Plan
from imagen_lit.evaluation import figure, page


def _asked(run: Path) -> str:
    """What the learning curve of a stage shows."""
    preview = run_folder.settings(run)["callbacks"]["preview"]
    size, count, steps = preview["size"], preview["examiner"]["count"], preview["recipe"]["steps"]
    return f"held-out prompts right at {size} × {size}, {count} prompts, {steps} steps"


def write(
    home: Path,
    scores: Mapping[str, Any],
    guidance: Mapping[str, Any],
    seen: Mapping[str, int],
    plan: Plan,
) -> Path:
    """The page, and the grid beside it; `seen` is {step: images}."""
    folder = home / "evaluation"
    marks = [json.loads(line) for line in (folder / "marks.jsonl").read_text().splitlines()]
    steps = list(seen)
    last = [m for m in marks if m["step"] == steps[-1]]
    samples = [
        {
            "prompt": mark["prompt"],
            "category": mark["category"],
            "right": mark["found"]["exact"],
            "pictures": {
                step: folder
                / next(
                    m["picture"]
                    for m in marks
                    if (m["step"], m["prompt"], m["seed"]) == (step, mark["prompt"], mark["seed"])
                )
                for step in steps
            },
        }
        for mark in last[:36]
    ]
    rows = {step: run_folder.metrics(home / step) for step in steps}
    losses = {
        f"{step} {name}": [(r["images"], r[f"{name}/loss"]) for r in found if f"{name}/loss" in r]
        for step, found in rows.items()
        for name in ("train", "val")
    }
    learnt = {
        key.removeprefix("score/alignment_"): [
            (r["images"], *r[key]) for r in rows["base"] if key in r
        ]
        for key in sorted({k for r in rows["base"] for k in r if k.startswith("score/")})
    }
    plots = [("loss", figure.curves({k: v for k, v in losses.items() if v}, "images seen", "loss"))]
    if learnt:
        plots.append(
            (
                _asked(home / "base"),
                figure.bands(learnt, "images seen", "exact"),
            )
        )
    file = home / "index.html"
    page.write(
        file,
        "A text-to-image cascade that learnt on this machine",
        f"Three stages, 16 → 64 → 256, made in {plan.spent / 60:.1f} minutes in all on "
        f"{os.cpu_count()} CPU cores ({plan.said['minutes']:g} were given). Images seen: "
        + ", ".join(f"{step} {count:,}" for step, count in seen.items())
        + ".",
        scores["score/alignment"],
        samples,
        plots,
        guidance,
        plan.times,
    )
    finals = [s["pictures"][steps[-1]] for s in samples[:24]]
    figure.grid(finals, 8, 128, home / "grid.png")
    return file
