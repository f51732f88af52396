"""A distance over features grows with what is done to pictures."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from degradation import DEGRADATIONS, crops, distances, frechet_distance
from omegaconf import OmegaConf
from small_extractor import SmallExtractor

from imagen_lit.cli import assets
from imagen_lit.features.efficientnet_lite0 import EfficientNetLite0

OPTION = OmegaConf.load(Path(assets.conf()) / "features" / "efficientnet_lite0.yaml")
WEIGHTS = Path(__file__).resolve().parents[2] / OPTION.path


def test_the_distance_of_known_gaussians_is_that_of_the_formula() -> None:
    """For diagonal covariances it is a sum over dimensions: (m - m')^2 + (s - s')^2."""
    generator = np.random.default_rng(0)
    points = np.linalg.qr(generator.standard_normal((400, 3)))[0] * np.sqrt(399)
    points = np.linalg.qr(points - points.mean(0))[0] * np.sqrt(399)  # exactly white
    a, b = points * [1, 2, 3] + [0, 1, 0], points * [2, 2, 1] + [0, 0, 2]
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + 1 + 4, rel=1e-5)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.skipif(
    not WEIGHTS.is_file(),
    reason="no weights: python -m imagen_lit.fetch weights=efficientnet_lite0",
)
@pytest.mark.parametrize("name", DEGRADATIONS)
def test_efficientnet_ranks_what_is_done_to_real_pictures(
    name: str, ranking: dict[str, list[float]]
) -> None:
    values = [0.0, *ranking[name]]
    assert all(weaker * 1.2 < stronger for weaker, stronger in pairwise(values)), values


@pytest.fixture(scope="module")
def ranking() -> dict[str, list[float]]:
    extractor = EfficientNetLite0(str(WEIGHTS), OPTION.sha256, OPTION.resize, device="cpu")
    return distances(extractor, crops(48, 96))


def test_even_a_small_extractor_sees_blur_noise_colour_and_modes() -> None:
    seen = distances(SmallExtractor(), crops(100, 48))
    for name in set(DEGRADATIONS) - {"JPEG, quality"}:
        assert seen[name] == sorted(seen[name]) and seen[name][0] > 0, (name, seen[name])
