"""Numbers that are known without this code, which it must find before any of its own are believed.

Four kinds: closed forms; a fixed pair of made-up feature sets, whose values other implementations
gave (`FIXED`); fixed scenes of the shapes world (known_scenes.py); and distances that somebody
published, of statistics files that are at hand.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from imagen_lit.basics.errors import RunError
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics import frechet
from imagen_lit.metrics.clip_score import cosines
from imagen_lit.metrics.cmmd import cmmd
from imagen_lit.metrics.density_coverage import ball_counts
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.kid import kid
from imagen_lit.metrics.known_images import known_images
from imagen_lit.metrics.known_scenes import known_scenes
from imagen_lit.metrics.precision_recall import is_inside

# Of `fixed_features`, by scipy.linalg.sqrtm, by torchmetrics 1.9's polynomial kernel over one
# subset of all rows, and by loops over all pairs: tests/metrics/test_known_values.py does it again.
FIXED = {
    "FD": 0.9018344111,
    "KID": 0.2002842324,
    "CMMD": 3.907932826,
    "precision": 0.26,
    "recall": 0.98,
    "density": 0.174,
    "coverage": 0.55,
}
TOLERANCE, PUBLISHED = 1e-6, 5e-3  # relative: published distances are rounded
GREY = 1e-3  # and scenes are drawn in whole grey levels


class Check(NamedTuple):
    """A row of the table that the command prints."""

    check: str
    expected: float
    found: float
    ok: bool


def known_values(published: Sequence[tuple[str, str, float]] = ()) -> list[Check]:
    """Every check; `published` are triples of a file, another, and their distance."""
    parts = _closed_forms(), known_images(), _fixed_pair()
    rows = [_check(*row) for part in parts for row in part]
    rows += [_check(*row, tolerance=GREY) for row in known_scenes()]
    for first, second, expected in published:
        files = (StatisticsFile(file) for file in (first, second))
        value = frechet.distance(*(Gaussian(each.mean, each.covariance) for each in files)).value
        rows.append(_check(f"FD of {first} and {second}", expected, value, PUBLISHED))
    return rows


def verify(published: Sequence[tuple[str, str, float]] = ()) -> str:
    """All of them as lines of text; raise if one is not what it has to be."""
    checks = known_values(published)
    wrong = [
        f"{c.check} is {c.found:.9g} and has to be {c.expected:.9g}" for c in checks if not c.ok
    ]
    if wrong:
        raise RunError(
            f"this machine measures wrongly: {'; '.join(wrong)}. Believe no score of it. Check "
            "its packages against constraints.txt, and report it if they are those."
        )
    lines = (f"ok     {check.check}: {check.expected:.6g}" for check in checks)
    return "\n".join(["scores that are known, recomputed:", *lines])


def _check(name: str, expected: float, value: float, tolerance: float = TOLERANCE) -> Check:
    is_close = abs(value - expected) <= tolerance * max(abs(expected), 1e-3)
    return Check(name, expected, float(value), bool(is_close))


def _closed_forms() -> Iterator[tuple[str, float, float]]:
    """In `width` dimensions, all corners of a cube, and the same with twice the side."""
    width, count = 8, 2**8
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * width)).reshape(width, count).T
    spread = count / (count - 1)  # the variance of a coordinate of `signs`
    shifted = 2 * signs + 0.5
    value = frechet.distance(frechet.fit(signs), frechet.fit(shifted)).value
    yield "FD of a cube and one twice as large, shifted", width * (0.25 + spread), value
    value = frechet.distance(frechet.fit(signs), frechet.fit(signs)).value
    yield "FD of a set and itself", 0.0, value
    first = Gaussian(np.zeros(2), np.array([[2.0, 1.0], [1.0, 3.0]]))
    second = Gaussian(np.array([1.0, -2.0]), np.array([[4.0, -1.0], [-1.0, 1.0]]))
    # In two dimensions (Tr √A)² = Tr A + 2 √(det A): of A = C₁C₂, Tr A = 9 and det A = 15.
    expected = 5 + 10 - 2 * (9 + 2 * 15**0.5) ** 0.5
    yield "FD of two tilted Gaussians", expected, frechet.distance(first, second).value
    # The mean of (sum of `width` signs · c / width + 1)³ over all corners is 1 + 3 c² / width.
    within, other, across = (1 + 3 * c**2 / width for c in (1, 4, 2))
    unbiased = (count * within - 2**3 + count * other - 5**3) / (count - 1)
    value = kid(signs, 2 * signs, 1, count, 0).value
    yield "KID of a cube and one twice as large", unbiased - 2 * across, value
    axes = np.eye(2)
    value = cmmd(axes[:1], axes[1:], 10.0, 1000.0).value
    yield "CMMD of two orthogonal vectors", 2000 * (1 - math.exp(-0.01)), value
    value = cosines(np.array([[2.0, 0.0]]), np.array([[3.0, 3.0 * 3**0.5]]))[0]
    yield "cosine of 60 degrees", 0.5, value
    yield "precision of a set in itself", 1.0, is_inside(signs, signs, 3).mean()
    yield "precision of a set far away", 0.0, is_inside(signs + 100, signs, 3).mean()


def _fixed_pair() -> Iterator[tuple[str, float, float]]:
    first, second = fixed_features(0), fixed_features(1)
    distance = frechet.distance(frechet.fit(first), frechet.fit(second)).value
    balls, has_image = ball_counts(first, second, 5, np.arange(len(first)))
    values = {
        "FD": distance,
        "KID": kid(first, second, 1, len(first), 0).value,
        "CMMD": cmmd(first, second, 10.0, 1000.0).value,
        "precision": is_inside(first, second, 3).mean(),
        "recall": is_inside(second, first, 3).mean(),
        "density": balls.mean() / 5,
        "coverage": has_image.any(axis=1).mean(),
    }
    for name, expected in FIXED.items():
        yield f"{name} of the fixed pair", expected, values[name]


def fixed_features(which: int, count: int = 200, width: int = 12) -> np.ndarray:
    """Two sets of features by whole numbers and a division: the same bits on every machine."""
    row, column = np.ogrid[1 : count + 1, 1 : width + 1]
    first = (row * row * 31 + row * column * 101 + column**3 * 17 + which * 7) % 251
    second = (row**3 * 13 + row * column * column * 29 + which * 3) % 241
    spread, shift = 1 - which / 4, which / 5 * (column % 3)
    return ((first + second) / 251 - 1) * spread + shift
