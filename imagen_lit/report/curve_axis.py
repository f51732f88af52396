"""What a learning curve is drawn by: the images seen, the time of training, or its FLOPs. The
latter two are read from the rows of metrics.jsonl that have them, and between two such rows grow
evenly."""

import bisect
import math
from collections.abc import Iterator, Mapping, Sequence

from imagen_lit.run import metrics
from imagen_lit.run.run_facts import RunFacts

IMAGES = "images seen"
TIMES = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))
WORK = (("ZFLOP", 1e21), ("EFLOP", 1e18), ("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9))
CLOCKS = {metrics.SECONDS: TIMES, metrics.FLOPS: WORK}

Points = Sequence[tuple[float, ...]]
Lines = Mapping[str, tuple[RunFacts, Points]]


def others(lines: Lines) -> Iterator[tuple[str, dict[str, Points]]]:
    """The name of each other axis that all runs of these lines have, and the lines along it."""
    for clock, units in CLOCKS.items():
        moved = {label: _along(run, points, clock) for label, (run, points) in lines.items()}
        longest = max((points[-1][0] for points in moved.values() if points), default=0.0)
        if not longest or not all(moved.values()):
            continue
        unit, size = next((each for each in units if longest >= each[1]), units[-1])
        yield (
            f"{unit} of training",
            {
                label: [(x / size, *values) for x, *values in points]
                for label, points in moved.items()
            },
        )


def _along(run: RunFacts, points: Points, clock: str) -> Points:
    """The points with what the clock showed after so many images; those beyond it are left out."""
    marks = [(0.0, 0.0)] + [
        (images, value) for images, value, *_ in run.series.get(clock, ()) if 0 <= value < math.inf
    ]
    if len(marks) == 1:
        return []
    seen = [images for images, _ in marks]
    moved = []
    for images, *values in points:
        after = bisect.bisect_left(seen, images)
        if after == len(marks):
            continue
        (start, low), (end, high) = marks[max(0, after - 1)], marks[after]
        share = (images - start) / (end - start) if end > start else 1.0
        moved.append((low + share * (high - low), *values))
    return moved
