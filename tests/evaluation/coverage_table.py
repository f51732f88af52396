"""Print the table of docs/evaluation.md: how often an interval of 95 % holds the truth, which is
the mean of the score over samples of this size against one reference.

    python tests/evaluation/coverage_table.py fd 200

repeats each world 200 times, which is sure to ±3 points; the same for the other names in MEASURES.
In brackets the mean of the interval's half width, in deviations of the score: 1.96 would be right
for a normal one.
"""

import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from feature_world import FeatureWorld

from imagen_lit.evaluation import jackknife
from imagen_lit.evaluation.bootstrap import Interval, mean_interval
from imagen_lit.evaluation.distance_interval import (
    Estimate,
    Influences,
    difference_interval,
    distance_interval,
    influences,
)
from imagen_lit.metrics import frechet
from imagen_lit.metrics.block_share import pairs
from imagen_lit.metrics.cmmd import cmmd
from imagen_lit.metrics.fd import fd
from imagen_lit.metrics.fd_infinity import extrapolate
from imagen_lit.metrics.kid import kid
from imagen_lit.metrics.precision_recall import is_inside, is_inside_by_block

Measured = tuple[float, Interval | None]


def of_estimate(estimate: Estimate, groups: np.ndarray) -> Measured:
    own = influences(estimate.influence, estimate.pair_influence, groups)
    return estimate.value, distance_interval(estimate.value, estimate.square, own, groups)


def fd_difference(x: np.ndarray, y: Any, groups: np.ndarray, rng: np.random.Generator) -> Measured:
    """Of the same images, less wide and with noise."""
    both = []
    for each in (x, 0.98 * x + 0.2 * rng.normal(size=x.shape)):
        estimate = fd(each, y)
        own = influences(estimate.influence, estimate.pair_influence, groups)
        both.append((estimate.value, own))
    (one, first), (other, second) = both
    own = Influences(second.images - first.images, second.pairs - first.pairs)
    return other - one, difference_interval(other - one, own, groups)


def precision(x: np.ndarray, y: Any, groups: np.ndarray, rng: np.random.Generator) -> Measured:
    inside = is_inside(x, y, 3).astype(float)
    return float(inside.mean()), mean_interval(inside, groups, resamples=500)


def recall(x: np.ndarray, y: Any, groups: np.ndarray, rng: np.random.Generator) -> Measured:
    reaches, left_out = is_inside_by_block(y, x, 3, jackknife.blocks_of(groups, blocks=20))
    value = float(reaches.any(axis=1).mean())
    return value, jackknife.interval(value, left_out, pairs(reaches))


MEASURES: dict[str, Any] = {
    "fd": lambda x, y, groups, _: of_estimate(fd(x, y), groups),
    "fd_difference": fd_difference,
    "fd_infinity": lambda x, y, groups, _: of_estimate(
        extrapolate(x, y, len(x) // 2, 8, 0), groups
    ),
    "kid": lambda x, y, groups, _: of_estimate(kid(x, y, 1, min(len(x), len(y)), 0), groups),
    "kid_subsets": lambda x, y, groups, _: of_estimate(kid(x, y, 20, len(x) // 4, 0), groups),
    "cmmd": lambda x, y, groups, _: of_estimate(cmmd(x, y, 10.0, 1000.0), groups),
    "precision": precision,
    "recall": recall,
}
WORLDS = list(product((False, True), (1, 4)))


def coverage(measure: str, world: FeatureWorld, count: int, repeats: int) -> tuple[float, float]:
    """The share of intervals that hold the truth, and their mean half width in deviations."""
    rng = np.random.default_rng([count, world.width, world.seeds, world.shift])
    is_gaussian = measure.startswith("fd")
    y = world.reference(rng, 20_000 if is_gaussian else 600)
    reference = frechet.fit(y) if is_gaussian else y
    values, ends = np.empty(repeats), np.empty((repeats, 2))
    for row in range(repeats):
        x = world.draw(rng, count)
        values[row], found = MEASURES[measure](x, reference, world.groups(count), rng)
        ends[row] = found or (values[row], values[row])
    truth = values.mean()
    holds = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return float(holds.mean()), float(np.ptp(ends, axis=1).mean() / 2 / values.std())


if __name__ == "__main__":
    measure, repeats = sys.argv[1], int(sys.argv[2])
    widths = [int(each) for each in sys.argv[3:]] or [8, 64, 256]
    names = ("like", "like, 4 a prompt", "shifted", "shifted, 4 a prompt")
    print("| dimensions | images | features |", *(f"{name} |" for name in names))
    print("|---|---|---|" + "---|" * len(names))
    for width, count in product(widths, (200, 500, 2000)):
        if measure.startswith("fd") and count // (1 + (measure == "fd_infinity")) <= width:
            continue
        for kind in ("gauss", "heavy", "mixture"):
            cells = (
                coverage(measure, FeatureWorld(kind, width, shift, seeds), count, repeats)
                for shift, seeds in WORLDS
            )
            text = (f"{100 * share:.1f} ({reach:.2f})" for share, reach in cells)
            print("|", " | ".join([str(width), str(count), kind, *text]), "|", flush=True)
