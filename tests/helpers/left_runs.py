"""Run folders as trainings leave them, written in no time."""

import json
from pathlib import Path
from typing import Any

import yaml
from PIL import Image


def settings(name: str, **changes: Any) -> dict[str, Any]:
    """A config.yaml, much shorter than a real one."""
    return {
        "name": name,
        "runs": "runs",
        "seed": 0,
        "data": {"size": 16, "batch_size": 16},
        "optimizer": {"lr": 0.004},
        "stage": {
            "images": 640,
            "condition": {"_target_": "imagen_lit.stage.condition.TextOnly", "drop": 0.1},
            "optimizer": {"lr": 0.004},
        },
        "trainer": {"log_every_n_steps": 20, "default_root_dir": f"runs/{name}"},
        "callbacks": {"health": {"after": 30_000}},
    } | changes


def rows(images: int = 640) -> list[dict[str, Any]]:
    """Ten rows of training and two validations."""
    steps = [round(images * step / 10) for step in range(1, 11)]
    training = [
        {"images": at, "train/loss": 100 / (100 + at), "speed/images_per_second": 42.5}
        for at in steps
    ]
    validation = [
        {"images": at, "val/loss": 90 / (100 + at), "health/text_gap": 0.5} for at in steps[4::5]
    ]
    return sorted([*training, *validation], key=lambda row: row["images"])


def leave(
    root: Path,
    name: str,
    status: dict[str, Any] | None = None,
    sheets: int = 0,
    config: dict[str, Any] | None = None,
) -> Path:
    """The folder of a run with so many sheets of previews; finished, unless `status` says more."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config or settings(name)))
    (folder / "status.json").write_text(json.dumps(status or {"state": "finished"}))
    written = rows()
    for number in range(1, sheets + 1):
        sheet = f"preview_{number:09d}.png"
        Image.new("RGB", (24, 16), "teal").save(folder / sheet)
        score = {"score/alignment_all": [0.5, 0.3, 0.7], "score/alignment_one": [0.75, 0.5, 0.9]}
        written.append({"images": 640 * number // sheets, "preview": sheet, **score})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return folder


def leave_evaluation(root: Path, name: str, runs: dict[str, str], is_scored: bool = True) -> Path:
    """What an evaluation of a cascade leaves; `runs`: by stage, as evaluate names them."""
    row = {"n": 8, "exact": 0.875, "interval": [0.529, 0.978], "colour": 1.0, "word": None}
    provenance = {
        "cascade": {stage: {"run": run} for stage, run in runs.items()},
        "weights": {stage: {"images_seen": 640} for stage in runs},
        "n": 8,
    }
    scores: dict[str, Any] = {"provenance": provenance}
    if is_scored:
        scores["score/alignment"] = {stage: {"all": row} for stage in runs}
    (root / name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(root / name / "sheet.png")
    (root / name / "scores.json").write_text(json.dumps(scores))
    return root / name
