"""How long a training had worked, and how much it had computed, when it had seen so many images.

Its own rows say so. Where they do not, as those of earlier versions, the seconds follow from the
speed that it measured, and the FLOPs from what a probe counted. No wait in a queue is in either.
"""

import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.run import metrics

BEYOND = 1.05  # the last row may be a little before the end
Clock = tuple[list[float], list[float]]
SPEED, CLOCK = "speed/images_per_second", "clock/"  # of rows
PROBE = "probe.json"  # imagen_lit/run/estimate.py


def at(folder: Path, images: float) -> dict[str, float]:
    """`seconds` and `flops` after so many images, those that are known."""
    changed = tuple(_changed(folder / name) for name in (metrics.FILE, PROBE))
    clocks, flops = _facts(folder, changed)
    known = {
        name: float(np.interp(images, seen, shown))
        for name, (seen, shown) in clocks.items()
        if images <= BEYOND * seen[-1]
    }
    return ({"flops": images * flops} if flops else {}) | known


@lru_cache(maxsize=256)
def _facts(folder: Path, changed: tuple[float, ...]) -> tuple[dict[str, Clock], float]:
    """By clock, images and what it showed then; and the FLOPs of an image, 0 if unknown."""
    try:
        rows = metrics.read(folder)
    except OSError:
        rows = []
    clocks: dict[str, Clock] = {}
    if speeds := [(row["images"], row[SPEED]) for row in rows if _is_positive(row.get(SPEED))]:
        marks, seconds = [(0.0, speeds[0][1]), *speeds], [0.0]
        for (before, _), (now, speed) in pairwise(marks):
            seconds.append(seconds[-1] + (now - before) / speed)
        clocks["seconds"] = [images for images, _ in marks], seconds
    for name in ("seconds", "flops"):
        own = [(row["images"], row[CLOCK + name]) for row in rows if CLOCK + name in row]
        own = [(images, value) for images, value in own if _is_positive(value)]
        if own:
            clocks[name] = [0.0, *(each[0] for each in own)], [0.0, *(each[1] for each in own)]
    try:
        counted = json_file.read(folder / PROBE, "").get("flops")
    except (OSError, InputError):
        counted = None
    return clocks, float(counted) if counted is not None and _is_positive(counted) else 0.0


def _is_positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
