"""The interval of a squared distance: exact for what is exactly quadratic, and by simulation for
FD, KID, CMMD and their differences. More worlds: coverage_table.py."""

import numpy as np
import pytest
from coverage_table import coverage
from feature_world import FeatureWorld

from imagen_lit.evaluation import distance_interval as own
from imagen_lit.evaluation.distance_interval import influences, prompt_pairs

RNG = np.random.default_rng(0)


def squared_mean(x: np.ndarray, groups: np.ndarray) -> own.Influences:
    """Of |mean of x|², of which the second order is all."""
    mean = x.mean(axis=0)
    centred = x - mean
    return influences(2 * centred @ mean, lambda i, j: 2 * (centred[i] * centred[j]).sum(1), groups)


@pytest.mark.parametrize(("seeds", "offset"), [(1, 0.0), (4, 0.0), (1, 0.2)])
def test_what_is_left_of_the_variance_is_true_on_average(seeds: int, offset: float) -> None:
    rng, n, width = np.random.default_rng(1), 120, 5
    groups, values, rest, first_orders = np.arange(n) // seeds, [], [], []
    for _ in range(800):
        x = rng.normal(size=(n, width)) + offset
        if seeds > 1:
            x += rng.normal(size=(n // seeds, width))[groups]
        first, second = squared_mean(x, groups).variances(groups)
        values.append((x.mean(axis=0) ** 2).sum())
        rest.append(first - second)
        first_orders.append(first)
    assert np.mean(rest) == pytest.approx(np.var(values), rel=0.15)
    if not offset:
        assert np.mean(first_orders) == pytest.approx(2 * np.var(values), rel=0.15)


def test_prompts_of_any_size_in_any_order_are_paired_whole() -> None:
    groups = np.array(["c", "a", "b", "a", "c", "c", "a"])
    x = RNG.normal(size=(7, 3))
    found = squared_mean(x, groups)
    centred = x - x.mean(axis=0)
    sums = {name: centred[groups == name].sum(axis=0) for name in "abc"}
    expected = [2 * sums[one] @ sums[other] for one, other in ("ab", "ac", "bc")]
    assert found.pairs == pytest.approx(expected)
    images = 2 * centred @ x.mean(axis=0)
    images -= [centred[i] @ sums[groups[i]] / 7 for i in range(7)]
    assert found.images == pytest.approx(images - images.mean())


def test_many_prompts_are_paired_by_chance_and_never_with_themselves() -> None:
    one, other = prompt_pairs(1000)
    assert len(one) == own.PROMPT_PAIRS and (one != other).all()
    assert {*one, *other} <= {*range(1000)} and len({*one}) > 800
    assert all((a == b).all() for a, b in zip((one, other), prompt_pairs(1000), strict=True))


def test_one_prompt_and_equal_images_have_no_interval() -> None:
    zero = lambda i, j: np.zeros(len(i))  # noqa: E731
    assert influences(np.zeros(5), zero, ["a"] * 5) is None
    alike = influences(np.zeros(5), zero, range(5))
    assert own.distance_interval(1.0, 1.0, alike, range(5)) is None
    assert own.difference_interval(1.0, alike, range(5)) is None


@pytest.mark.parametrize(
    ("measure", "kind", "shift", "seeds"),
    [
        ("fd", "gauss", False, 1),
        ("fd", "heavy", False, 4),
        ("fd", "mixture", True, 1),
        ("fd_difference", "gauss", True, 4),
        ("kid", "gauss", False, 4),
        ("cmmd", "gauss", False, 1),
        ("precision", "gauss", False, 1),
        ("recall", "heavy", False, 1),
    ],
)
def test_in_200_repeats_the_interval_covers_the_truth(
    measure: str, kind: str, shift: bool, seeds: int
) -> None:
    """The truth is the mean over samples of this size."""
    share, _ = coverage(measure, FeatureWorld(kind, 8, shift, seeds), 200, 200)
    assert 0.93 <= share <= 0.97
