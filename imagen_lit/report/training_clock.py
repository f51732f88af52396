"""How long a training had worked, and how much it had computed, when it had seen so many images:
from the speed that it measured, and from what a probe counted. No sleep in a queue is in it.
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.run import metrics

SPEED = "speed/images_per_second"
PROBE = "probe.json"  # imagen_lit/run/estimate.py


def at(folder: Path, images: float) -> dict[str, float]:
    """`seconds` and `flops` after so many images, those that are known."""
    changed = tuple(_changed(folder / name) for name in (metrics.FILE, PROBE))
    seen, seconds, flops = _facts(folder, changed)
    known: dict[str, float] = {}
    if seen and images <= 1.05 * seen[-1]:
        known["seconds"] = float(np.interp(images, seen, seconds))
    if flops:
        known["flops"] = images * flops
    return known


@lru_cache(maxsize=256)
def _facts(
    folder: Path, changed: tuple[float, ...]
) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Images and the seconds by then, at each row with a speed; flops of an image, 0 if unknown."""
    try:
        rows = metrics.read(folder)
    except OSError:
        rows = []
    speeds = [(row["images"], row[SPEED]) for row in rows if _is_speed(row.get(SPEED))]
    marks = [(0.0, speeds[0][1]), *speeds] if speeds else []
    seconds = [0.0]
    for (before, _), (now, speed) in pairwise(marks):
        seconds.append(seconds[-1] + (now - before) / speed)
    try:
        counted = json_file.read(folder / PROBE, "").get("flops")
    except (OSError, InputError):
        counted = None
    flops = float(counted) if type(counted) in (int, float) and counted > 0 else 0.0
    return tuple(float(images) for images, _ in marks), tuple(seconds), flops


def _is_speed(value: object) -> bool:
    return isinstance(value, int | float) and 0 < value < 1e12


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
