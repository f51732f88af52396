"""FD∞ finds the distance of infinitely many images, which FD of a few thousand does not."""

from pathlib import Path

import numpy as np
import pytest
from toy_sample import pair

from imagen_lit.basics.errors import InputError
from imagen_lit.metrics import frechet
from imagen_lit.metrics.fd_infinity import FDInfinity, extrapolate
from imagen_lit.metrics.frechet import Gaussian

TRUTH = Gaussian(np.zeros(40), np.eye(40))


def test_the_line_ends_at_the_distance_of_the_distributions() -> None:
    rng, plain, infinite = np.random.default_rng(0), [], []
    for seed in range(20):
        x = rng.normal(size=(2000, 40)) * 1.1
        plain.append(frechet.distance(frechet.fit(x), TRUTH).value)
        infinite.append(extrapolate(x, TRUTH, 400, 8, seed)[0])
    truth, error = 40 * 0.1**2, np.std(infinite) / 20**0.5
    assert np.mean(infinite) == pytest.approx(truth, abs=4 * error)
    assert np.mean(plain) - truth > 20 * error


def test_the_seed_decides_the_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    extractor, sample, real = pair(tmp_path, rng.normal(size=(200, 3)), rng.normal(size=(99, 3)))
    metrics = [FDInfinity(extractor, smallest=50, points=5, seed=seed) for seed in (0, 0, 1)]
    for each in (sample, real):
        assert metrics[0].extract(each)
    first, again, other = (metric.scores(sample, real)[0] for metric in metrics)
    assert first == again and first.value != other.value
    assert first.protocol["metric"]["seed"] == 0 and first.protocol != other.protocol


@pytest.mark.parametrize("smallest", [3, 101])
def test_subsets_that_allow_no_line_are_refused(tmp_path: Path, smallest: int) -> None:
    rng = np.random.default_rng(1)
    extractor, sample, real = pair(tmp_path, rng.normal(size=(200, 3)), rng.normal(size=(99, 3)))
    with pytest.raises(InputError, match=f"subsets of {smallest} of 200 images in 3 dimensions"):
        FDInfinity(extractor, smallest=smallest).check(sample, real)
