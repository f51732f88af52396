"""What the folder of an evaluation says about the runs that it evaluated. Reading it needs no
torch, and writes nothing.
"""

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError

FILE = "scores.json"
VALUES = "image_values.npz"  # imagen_lit/metrics/measured.py
RESULTS = "results.jsonl"
SHEET = "sheet.png"
PROVENANCE = "provenance.json"  # what drew it (imagen_lit/run/provenance.py)
SCORES = "score/alignment"


@dataclass(frozen=True)
class EvaluationFacts:
    """By stage of the cascade: `runs`, the folder of the run, as it was named then;
    `images`, how many it had seen; `scores`, a row for each category of prompts. `prompts` were
    drawn, and `sheet` shows them. `rows` and `protocols`: what metrics measured."""

    name: str
    runs: Mapping[str, str]
    images: Mapping[str, int]
    scores: Mapping[str, Mapping[str, Mapping[str, Any]]]
    prompts: int
    sheet: Path | None
    changed: float
    rows: Sequence[Mapping[str, Any]] = ()
    protocols: Mapping[str, Any] = field(default_factory=dict)
    guidance: Mapping[str, float] = field(default_factory=dict)  # its weight, by stage

    @property
    def group(self) -> str:
        """The name up to the last slash; empty without one."""
        return self.name.rpartition("/")[0]


def read(folder: Path, name: str) -> EvaluationFacts | None:
    """The facts in a folder; None if its file cannot be read. There are no scores where no exact
    judge knew the prompts."""
    file = folder / FILE
    try:
        content, changed = json_file.read(file, ""), file.stat().st_mtime
    except (OSError, InputError):
        return None
    scores = {
        stage: {category: row for category, row in _mapping(rows).items() if _is_row(row)}
        for stage, rows in _mapping(_mapping(content).get(SCORES)).items()
    }
    scores = {stage: rows for stage, rows in scores.items() if rows}
    provenance = _mapping(_mapping(content).get("provenance"))
    if not scores and not provenance:
        return None
    cascade, weights = _mapping(provenance.get("cascade")), _mapping(provenance.get("weights"))
    runs = {stage: _mapping(cascade.get(stage)).get("run") for stage in cascade}
    images = {stage: _mapping(weights.get(stage)).get("images_seen") for stage in weights}
    count, sheet = provenance.get("n"), folder / SHEET
    return EvaluationFacts(
        name,
        {stage: run for stage, run in runs.items() if isinstance(run, str)},
        {stage: count for stage, count in images.items() if type(count) is int},
        scores,
        count if type(count) is int else 0,
        sheet if sheet.is_file() else None,
        changed,
        [row for row in _list(_mapping(content).get("scores")) if _is_measured(row)],
        _mapping(_mapping(content).get("protocols")),
        {stage: weight for stage in cascade if (weight := _guidance(cascade[stage])) is not None},
    )


def weights_of(folder: Path) -> dict[str, Any]:
    """The digest of the weights of each stage that drew what its scores are of, smaller images that
    were there included; {} where there are none."""
    try:
        content = json_file.read(folder / FILE, "")
    except (OSError, InputError):
        return {}
    provenance = _mapping(content.get("provenance"))
    lower = _mapping(_mapping(provenance.get("start_from")).get("cascade"))
    weights = lower | _mapping(provenance.get("weights"))
    return {stage: _mapping(each).get("digest") for stage, each in weights.items()}


def image_values(folder: Path, row: Mapping[str, Any]) -> dict[tuple[str, int], float]:
    """The value of each image, by its prompt and seed, whose mean a row of scores is; {} where none
    were kept, or they cannot be read."""
    try:
        with np.load(folder / VALUES, allow_pickle=False) as arrays:
            values = arrays[f"{row['stage']}@{row['protocol']}"].tolist()
            pairs = zip(arrays["prompts"].tolist(), arrays["seeds"].tolist(), strict=True)
            found = dict(zip(pairs, map(float, values), strict=True))
    except (OSError, ValueError, TypeError, EOFError, LookupError, zipfile.BadZipFile):
        return {}
    return found if all(map(math.isfinite, found.values())) else {}


def images(folder: Path, stage: str) -> dict[tuple[str, int], Path]:
    """The file of each image of a stage, by its prompt and seed, as far as they are there."""
    files: dict[tuple[str, int], Path] = {}
    try:
        lines = (folder / RESULTS).read_text(errors="replace").splitlines()
    except OSError:
        return files
    for line in lines:
        try:
            row = _mapping(json.loads(line))
            prompt, seed, place = row["prompt"], row["seed"], folder / row["image"]
            is_own = folder.resolve() in place.resolve().parents and place.is_file()
        except (ValueError, TypeError, LookupError, RecursionError, OSError):
            continue
        if row.get("stage") == stage and type(prompt) is str and type(seed) is int and is_own:
            files[prompt, seed] = place
    return files


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _guidance(stage: Any) -> float | None:
    weight = _mapping(_mapping(_mapping(stage).get("recipe")).get("guidance")).get("weight")
    return float(weight) if type(weight) in (int, float) else None  # type: ignore[arg-type]


def _is_measured(row: Any) -> bool:
    texts = [_mapping(row).get(key) for key in ("stage", "metric", "protocol")]
    ends = _mapping(row).get("interval")
    numbers = [_mapping(row).get("value"), *_list(ends)]
    return (
        all(isinstance(text, str) for text in texts)
        and type(row.get("n")) is int
        and (ends is None or len(_list(ends)) == 2)
        and all(type(each) in (int, float) and math.isfinite(each) for each in numbers)
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_row(row: Any) -> bool:
    interval = _mapping(row).get("interval")
    numbers = [row.get("exact"), *interval] if isinstance(interval, list) else []
    return len(numbers) == 3 and type(row.get("n")) is int and all(map(_is_share, numbers))


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= 1
