"""KID and CMMD against other implementations, by their biases, and KID's interval by simulation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import KernelInceptionDistance, poly_mmd
from toy_sample import pair

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.distance_interval import Estimate
from imagen_lit.metrics.cmmd import CMMD, cmmd
from imagen_lit.metrics.cosine import unit
from imagen_lit.metrics.kid import KID, discrepancy, kid


def two_sets(n: int, m: int, width: int, seed: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)) + shift, rng.normal(size=(m, width))


class Passed(torch.nn.Module):
    num_features = 16

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_kid_over_everything_equals_torchmetrics() -> None:
    x, y = two_sets(150, 150, 16, 0, 0.3)
    other = KernelInceptionDistance(feature=Passed(), subsets=1, subset_size=150)
    other.set_dtype(torch.float64)
    other.update(torch.from_numpy(x), real=False)
    other.update(torch.from_numpy(y), real=True)
    assert kid(x, y, 1, 150, 0)[0] == pytest.approx(float(other.compute()[0]), rel=1e-9)


def test_kid_is_the_mean_over_its_seeded_subsets() -> None:
    x, y = two_sets(120, 90, 6, 1, 0.5)
    rng, values = np.random.default_rng(7), []
    for _ in range(5):
        own, others = rng.choice(120, 40, replace=False), rng.choice(90, 40, replace=False)
        values.append(float(poly_mmd(torch.from_numpy(y[others]), torch.from_numpy(x[own]))))
    assert kid(x, y, 5, 40, 7)[0] == pytest.approx(np.mean(values), rel=1e-9)
    assert kid(x, y, 5, 40, 8)[0] != kid(x, y, 5, 40, 7)[0]


def test_kid_of_like_sets_is_zero_on_average_and_cmmd_is_not() -> None:
    pairs = [two_sets(30, 30, 4, seed, 0.0) for seed in range(300)]
    unbiased = np.array([discrepancy(x, y)[0] for x, y in pairs])
    biased = np.array([cmmd(x, y, 10.0, 1000.0)[0] for x, y in pairs])
    error = unbiased.std() / 300**0.5
    assert abs(unbiased.mean()) < 4 * error
    # (1 - the mean kernel)/n for either set; the kernel is 1 - 2/(2 * 10²) on average.
    assert biased.mean() == pytest.approx(2 * 1000 * 0.01 / 30, rel=0.05)


def test_cmmd_equals_its_definition_over_all_pairs() -> None:
    x, y = two_sets(40, 30, 5, 2, 0.4)
    a, b = unit(x), unit(y)

    def mean(p: np.ndarray, q: np.ndarray) -> float:
        gaps = ((p[:, None] - q[None]) ** 2).sum(axis=2)
        return float(np.exp(-gaps / (2 * 10**2)).mean())

    expected = 1000 * (mean(a, a) + mean(b, b) - 2 * mean(a, b))
    assert cmmd(x, y, 10.0, 1000.0)[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("measure", ["kid", "subsets", "cmmd"])
def test_a_pair_adds_what_one_image_changes_of_the_others_influence(measure: str) -> None:
    x, y = two_sets(60, 60, 5, 6, 0.4)
    moved = x.copy()
    moved[7] += 0.5

    def measured(rows: np.ndarray) -> Estimate:
        if measure == "cmmd":
            return cmmd(rows, y, 10.0, 1000.0)
        return kid(rows, y, *((1, 60) if measure == "kid" else (4, 30)), 0)

    before, after = measured(x), measured(moved)
    others, seven = np.delete(np.arange(60), 7), np.full(59, 7)
    change = (after.influence - before.influence)[others]
    pairs = (after.pair_influence(others, seven) - before.pair_influence(others, seven)) / 60
    if measure == "subsets":  # an image that is in no subset with it does not hear of it
        assert (pairs != 0).sum() == (before.pair_influence(others, seven) != 0).sum() < 59
        return
    spread = (change - change.mean()).std()
    assert np.std(change - pairs) < 0.15 * spread


def test_fewer_images_than_a_subset_are_refused(tmp_path: Path) -> None:
    extractor, sample, real = pair(tmp_path, *two_sets(60, 50, 4, 4, 0.0))
    with pytest.raises(
        InputError, match=r"subsets of 1000 from 60 .* Set metrics.kid.subset_size=50 or"
    ):
        KID(extractor).check(sample, real)


def test_the_constants_stand_in_the_protocol(tmp_path: Path) -> None:
    extractor, sample, real = pair(tmp_path, *two_sets(60, 50, 4, 5, 0.0))
    metrics = KID(extractor, subsets=3, subset_size=50), CMMD(extractor)
    for metric in metrics:
        assert metric.extract(sample) and metric.extract(real)
    first, second = (metric.scores(sample, real)[0].protocol["metric"] for metric in metrics)
    assert (first["subsets"], first["subset_size"], first["seed"]) == (3, 50, 0)
    assert (second["sigma"], second["scale"]) == (10.0, 1000.0) and "biased" in second["estimate"]


def test_a_vector_without_direction_is_refused() -> None:
    with pytest.raises(InputError, match=r"feature vector 1 .* no cosine"):
        unit(np.array([[1.0, 0.0], [0.0, 0.0]]))
