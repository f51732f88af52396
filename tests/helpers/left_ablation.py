"""Run folders as an ablation leaves them, written in no time: a plan of our own making, its ledger,
and whatever of its cells is to be there."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml
from left_runs import settings
from PIL import Image

from imagen_lit.ablation import definition
from imagen_lit.ablation.axis import Axis, Choice
from imagen_lit.ablation.cell import Cell
from imagen_lit.ablation.definition import Definition, Figure
from imagen_lit.ablation.plan import Plan, Point
from imagen_lit.basics import pixels, png_metadata
from imagen_lit.evaluation.score import Score

PROMPTS = [f"a {colour} {shape}" for colour in ("red", "blue") for shape in ("disc", "square")]
WEIGHT, AGE = "cascade.base.recipe.guidance.weight", "cascade.base.images"
PROTOCOLS: dict[str, dict[str, Any]] = {"kid": {"score": "kid"}, "exact": {"score": "exact"}}
# The value of (metric, arm, place, training seed).
Value = Callable[[str, str, str, int], float]


def axis(name: str, setting: str, labels: Sequence[str]) -> Axis:
    """An axis of these labels."""
    return Axis(name, tuple(Choice(name, each, {setting: each}, ("base",)) for each in labels))


def trade_off(weights: Sequence[str] = ("1", "2")) -> Figure:
    """Quality against alignment, a point for each guidance weight."""
    points = (axis("weight", WEIGHT, weights),)
    return Figure("trade_off", ("4a",), points, "alignment", "quality", "encoder")


def learning(ages: Sequence[str] = ("320", "640"), x: str = "age") -> Figure:
    """Alignment by age."""
    return Figure("learning", ("A.6",), (axis("age", AGE, ages),), x, "alignment", "encoder")


def plan(
    arms: Sequence[str] = ("t5_nano_random", "t5_nano"),
    seeds: Sequence[int] = (0, 1, 2),
    figures: Sequence[Figure] | None = None,
) -> Plan:
    """Trainings of each arm with each seed, and their drawings."""
    chosen = tuple([trade_off(), learning()] if figures is None else figures)
    usual = definition.read("text_encoder", "demo")
    own: Definition = dataclasses.replace(
        usual, arms=(axis("encoder", "text", arms),), figures=chosen, seeds=tuple(seeds)
    )
    cells: dict[str, Cell] = {}
    points: dict[str, list[Point]] = {figure.name: [] for figure in chosen}
    for arm, seed in itertools.product(arms, seeds):
        name = f"ablation/demo/base/seed-{seed}+text-{arm}"
        cells[name] = Cell("train", {"text": arm, "seed": seed, "name": name}, name)
        for figure in chosen:
            places = figure.points[0].choices if figure.points else (None,)
            for place in places:
                at = {} if place is None else {place.axis: place.label}
                words = "+".join(f"{k}-{v}" for k, v in at.items()) or "usual"
                drawn = f"ablation/demo/base_drawn/seed-{seed}+text-{arm}/{words}"
                cells[drawn] = Cell("evaluate", {"name": drawn}, drawn, (name,))
                points[figure.name].append(Point(drawn, {"encoder": arm}, seed, at))
    return Plan(own, cells, {name: tuple(each) for name, each in points.items()})


def leave(
    runs: Path,
    made: Plan,
    value: Value,
    lack: Sequence[str] = (),
    with_images: bool = False,
    protocol: Mapping[str, Mapping[str, Any]] | None = None,
    prompts: Sequence[str] = PROMPTS,
) -> dict[str, Any]:
    """Leave all cells but those in `lack`, and return the ledger. `protocol`: other facts, by
    cell, of its alignment."""
    entries: dict[str, Any] = {}
    where = {p.cell: p for points in made.points.values() for p in points}
    for name, cell in made.cells.items():
        if name in lack:
            entries[name] = SimpleNamespace(
                cell=cell, state="missing", why="", attempts=0, cost=None
            )
            continue
        entries[name] = SimpleNamespace(cell=cell, state="done", why="", attempts=1, cost=None)
        folder = runs / name
        folder.mkdir(parents=True)
        if cell.command == "train":
            _training(folder, cell)
        else:
            point = where[name]
            place = next(iter(point.at.values()), "")
            values = {
                metric: value(metric, point.arm["encoder"], place, point.seed)
                for metric in PROTOCOLS
            }
            facts = PROTOCOLS["exact"] | dict((protocol or {}).get(name, {}))
            _drawing(folder, values, facts, place if "age" in point.at else "640", prompts)
            if with_images:
                _images(folder, point, prompts)
        _attempt(folder, cell)
    return entries


def _training(folder: Path, cell: Cell) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(settings(cell.name)))
    (folder / "status.json").write_text(json.dumps({"state": "finished"}))
    seed = cell.settings["seed"]
    rows = [
        {
            "images": at,
            "train/loss": 100 / (100 + at) + 0.01 * seed,
            "val/loss": 90 / (100 + at) + 0.01 * seed,
            "score/alignment_all": [at / 1000, at / 1200, min(1.0, at / 800)],
            "speed/images_per_second": 40 + seed,
        }
        for at in range(64, 641, 64)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _drawing(
    folder: Path,
    values: Mapping[str, float],
    facts: Mapping[str, Any],
    images: str,
    prompts: Sequence[str],
) -> None:
    count = len(prompts)
    scores = [
        Score(
            "kid",
            values["kid"],
            (values["kid"] - 0.1, values["kid"] + 0.1),
            count,
            "",
            PROTOCOLS["kid"],
        ),
        Score("exact", values["exact"], (0.0, 1.0), count, "Wilson", facts),
    ]
    rows = [{"stage": "base"} | each.row() for each in scores]
    content = {
        "provenance": {
            "cascade": {"base": {"run": "somewhere"}},
            "weights": {"base": {"images_seen": int(images)}},
            "n": count,
        },
        "scores": rows,
        "protocols": {row["protocol"]: s.protocol for row, s in zip(rows, scores, strict=True)},
    }
    (folder / "scores.json").write_text(json.dumps(content))
    own = values["exact"] + np.linspace(-0.05, 0.05, count) * (1 + values["kid"] / 10)
    arrays = {f"base@{rows[1]['protocol']}": own}
    with (folder / "image_values.npz").open("wb") as file:
        np.savez(file, prompts=np.array(prompts), seeds=np.arange(count), **arrays)


def _images(folder: Path, point: Point, prompts: Sequence[str]) -> None:
    lines = []
    for number, prompt in enumerate(prompts):
        file = folder / "images" / f"{number}.png"
        colour = (60 * number % 255, 90 * point.seed % 255, hash(point.arm["encoder"]) % 255)
        facts = {"prompt": prompt, "seed": number}
        pixels.save_png(Image.new("RGB", (16, 16), colour), file, png_metadata.texts(facts, ""))
        row = {"stage": "base", "prompt": prompt, "seed": number, "image": f"images/{number}.png"}
        lines.append(json.dumps(row))
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")


def _attempt(folder: Path, cell: Cell) -> None:
    start = {
        "event": "start",
        "time": "2026-11-29T22:00:00+00:00",
        "host": "here",
        "pid": 1,
        "job": None,
        "commit": "0123456789abcdef",
        "dirty": False,
        "code": "abcdef012345",
        "versions": {"torch": "2.9.0"},
        "command": cell.line,
    }
    end = {"event": "end", "state": "finished", "seconds": 360.0, "device": "cpu", "kwh": 0.01}
    text = f"{json.dumps(start)}\n{json.dumps(end)}\n"
    (folder / "attempts.jsonl").write_text(text + '{"event": "sta')  # a kill has cut the last line
