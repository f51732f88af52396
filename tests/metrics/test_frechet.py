"""The Fréchet distance against closed forms and other implementations, and its interval by
simulation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from toy_sample import pair

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.distance_interval import (
    Influences,
    difference_interval,
    distance_interval,
    influences,
)
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics import frechet
from imagen_lit.metrics.fd import FD, fd
from imagen_lit.metrics.frechet import Gaussian
from imagen_lit.metrics.frechet_curvature import FrechetCurvature
from imagen_lit.metrics.published_gaussian import PublishedGaussian

RNG = np.random.default_rng(0)


def tilted(count: int, width: int, seed: int) -> np.ndarray:
    """Correlated features, some directions much wider than others, with a mean of their own."""
    rng = np.random.default_rng(seed)
    mixture = rng.normal(size=(width, width)) * np.logspace(0, -2, width)
    return np.float32(rng.normal(size=(count, width)) @ mixture + rng.normal(size=width) * 0.1)


def by_square_root(x: np.ndarray, y: np.ndarray) -> float:
    first, second = (np.cov(each.astype(np.float64), rowvar=False) for each in (x, y))
    root = sqrtm(first @ second).real
    gap = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    return float(gap @ gap + np.trace(first + second - 2 * root))


def measure(x: np.ndarray, y: np.ndarray) -> float:
    return frechet.distance(frechet.fit(x), frechet.fit(y)).value


class Passed(torch.nn.Module):
    """Hands features through torchmetrics as if they were images."""

    num_features = 32

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_it_equals_two_independent_implementations() -> None:
    x, y = tilted(500, 32, 1), tilted(600, 32, 2)
    other = FrechetInceptionDistance(feature=Passed()).set_dtype(torch.float64)
    other.update(torch.from_numpy(x).double(), real=False)
    other.update(torch.from_numpy(y).double(), real=True)
    assert measure(x, y) == pytest.approx(by_square_root(x, y), rel=1e-6)
    assert measure(x, y) == pytest.approx(float(other.compute()), rel=1e-6)


def test_ten_thousand_vectors_of_inception_s_width_have_the_distance_of_eigenvalues() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2048, 2048)).astype(np.float32) / 45
    x, y = ((rng.normal(size=(10_000, 2048)).astype(np.float32) * s) @ mix for s in (1, 1.1))
    first, second = (torch.cov(torch.from_numpy(each).double().T) for each in (x, y))
    values, vectors = torch.linalg.eigh(first)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    across = torch.linalg.eigvalsh(root @ second @ root).clamp(min=0).sqrt().sum()
    gap = x.mean(axis=0, dtype=np.float64) - y.mean(axis=0, dtype=np.float64)
    expected = gap @ gap + float(first.trace() + second.trace() - 2 * across)
    value = frechet.distance(frechet.fit(x), frechet.fit(y)).value
    assert value == pytest.approx(expected, rel=1e-4)


def test_gaussians_that_commute_have_the_distance_of_their_spreads() -> None:
    turn = np.linalg.qr(RNG.normal(size=(6, 6)))[0]
    spreads, means = RNG.uniform(0.1, 3, size=(2, 6)), RNG.normal(size=(2, 6))
    first, second = (
        Gaussian(mean, turn @ np.diag(spread**2) @ turn.T)
        for mean, spread in zip(means, spreads, strict=True)
    )
    expected = ((means[0] - means[1]) ** 2).sum() + ((spreads[0] - spreads[1]) ** 2).sum()
    assert frechet.distance(first, second).value == pytest.approx(expected, rel=1e-12)


def test_a_set_has_no_distance_from_itself_even_with_dead_features() -> None:
    x = tilted(300, 16, 3)
    x[:, 5:9] = 0
    assert abs(measure(x, x)) < 1e-12 * np.trace(frechet.fit(x).covariance)


def test_a_far_mean_costs_no_digits() -> None:
    x, y = tilted(400, 8, 4).astype(np.float64), tilted(400, 8, 5).astype(np.float64)
    assert measure(x + 1e5, y + 1e5) == pytest.approx(measure(x, y), rel=1e-8)


@pytest.mark.parametrize("count", [2, 32])
def test_no_more_images_than_dimensions_get_a_sentence(count: int) -> None:
    with pytest.raises(InputError, match=r"singular.*Give 33 images or more.*kid"):
        frechet.fit(tilted(count, 32, 0))


def test_an_images_influence_is_what_its_weight_changes() -> None:
    x, y = tilted(60, 5, 6).astype(np.float64), tilted(80, 5, 7).astype(np.float64)
    result, reference = frechet.distance(frechet.fit(x), frechet.fit(y)), frechet.fit(y)
    influence = frechet.influence(x, result)
    step = 1e-5
    for image in (0, 17):
        weights = np.full(60, (1 - step) / 60)
        weights[image] += step
        mean = weights @ x
        covariance = (x - mean).T * weights @ (x - mean) * 60 / 59
        value = frechet.distance(Gaussian(mean, covariance), reference).value
        slope = (value - result.value) / step
        assert slope == pytest.approx(influence[image], rel=0.05, abs=0.02 * influence.std())


def test_what_two_images_do_together_is_what_one_changes_of_the_others_influence() -> None:
    x, y = tilted(60, 5, 6).astype(np.float64), tilted(80, 5, 7).astype(np.float64)
    reference, step = frechet.fit(y), 1e-3

    def value(extra: dict[int, float]) -> float:
        weights = np.full(60, (1 - sum(extra.values())) / 60)
        for image, weight in extra.items():
            weights[image] += weight
        mean = weights @ x
        return frechet.distance(
            Gaussian(mean, (x - mean).T * weights @ (x - mean)), reference
        ).value

    mean = x.mean(axis=0)
    result = frechet.distance(Gaussian(mean, np.cov(x.T, bias=True)), reference)
    curvature = FrechetCurvature(x, result)
    for one, other in ((3, 21), (3, 3), (40, 8)):
        plus = value({one: 2 * step} if one == other else {one: step, other: step})
        pair = plus - value({one: step}) - value({other: step}) + value({})
        found = curvature(np.array([one]), np.array([other]))[0]
        assert found == pytest.approx(pair / step**2, rel=0.05, abs=0.02)


def test_pairs_show_a_difference_that_two_intervals_hide() -> None:
    """Images of the same prompts and seeds: what moves both distances leaves their difference."""
    rng, reference = np.random.default_rng(16), frechet.fit(tilted(2000, 6, 17))
    numbers, groups = [], range(200)
    x = rng.normal(size=(200, 6)) * 0.5
    for each in (x, x * 1.1 + rng.normal(size=(200, 6)) * 0.02):
        estimate = fd(each, reference)
        numbers.append(influences(estimate.influence, estimate.pair_influence, groups))
    first, second = numbers
    both = Influences(second.images - first.images, second.pairs - first.pairs)
    together, alone = (np.ptp(difference_interval(0.0, n, groups)) for n in (both, second))
    assert together < alone / 2


def test_the_interval_is_of_features_in_files_too(tmp_path: Path) -> None:
    x, y = tilted(150, 6, 18), tilted(200, 6, 19)
    prompts = [f"prompt {n // 3}" for n in range(150)]
    extractor, sample, real = pair(tmp_path, x, y, prompts)
    metric = FD(extractor)
    assert all(metric.extract(each) for each in (sample, real))
    score, estimate = metric.scores(sample, real)[0], fd(x, frechet.fit(y))
    own = influences(estimate.influence, estimate.pair_influence, prompts)
    expected = distance_interval(estimate.value, estimate.square, own, prompts)
    assert score.interval == pytest.approx(expected, rel=1e-6)
    assert score.method == "influence functions over 50 prompts" and len(score.pairs) == 1225
    assert score.values.mean() == pytest.approx(score.value)


def test_resampled_images_would_lie_above_the_distance() -> None:
    """Why the interval is no plain bootstrap."""
    rng, x, y = np.random.default_rng(10), tilted(200, 32, 11), tilted(2000, 32, 12)
    reference = frechet.fit(y)
    draws = [
        frechet.distance(frechet.fit(x[rng.integers(200, size=200)]), reference).value
        for _ in range(30)
    ]
    assert np.mean(draws) > measure(x, y) + np.std(draws)


def test_published_statistics_can_stand_for_the_reference(tmp_path: Path) -> None:
    x, y = tilted(90, 6, 13), tilted(100, 6, 14)
    extractor, sample, real = pair(tmp_path, x, y)
    metric, fitted = FD(extractor), frechet.fit(y)
    np.savez(tmp_path / "real.npz", mu=fitted.mean, sigma=fitted.covariance)
    published = PublishedGaussian(StatisticsFile(str(tmp_path / "real.npz")))
    assert all(metric.extract(each) for each in (sample, real, published))
    from_images, from_file = (metric.scores(sample, each)[0] for each in (real, published))
    assert from_file.value == from_images.value == pytest.approx(measure(x, y), rel=1e-12)
    assert from_file.interval == from_images.interval
    assert from_file.protocol != from_images.protocol


def test_statistics_of_another_width_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "real.npz", mu=np.zeros(3), sigma=np.eye(3))
    extractor, *_ = pair(tmp_path, tilted(9, 6, 0), tilted(9, 6, 1))
    with pytest.raises(InputError, match="of 3 dimensions, and the extractor of 6"):
        PublishedGaussian(StatisticsFile(str(tmp_path / "real.npz"))).gaussian(extractor)
