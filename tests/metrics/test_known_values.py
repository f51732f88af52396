"""The known values are known elsewhere too, and a broken metric does not find them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torchmetrics.image.kid import poly_mmd

from imagen_lit.evaluation.distance_interval import Estimate
from imagen_lit.image_set.shapes import HeldOutScenes, TrainingScenes
from imagen_lit.metrics import frechet, known_scenes, known_values
from imagen_lit.metrics.frechet import Distance


def broken() -> list[str]:
    return [row.check for row in known_values.known_values() if not row.ok]


def test_every_known_value_is_found() -> None:
    assert broken() == []
    assert len(known_values.known_values()) == 24


def test_the_values_of_scenes_are_those_of_other_implementations() -> None:
    count, size = known_scenes.COUNT, known_scenes.SIZE
    x, y = (known_scenes.quarters(kind(count, size)) for kind in (HeldOutScenes, TrainingScenes))
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    values = {
        "FD": gap + np.trace(first + second - 2 * sqrtm(first @ second).real),
        "KID": float(poly_mmd(torch.from_numpy(y), torch.from_numpy(x))),
    }
    assert known_scenes.SCENES == pytest.approx(values, rel=1e-6)


def test_the_fixed_values_are_those_of_other_implementations() -> None:
    x, y = known_values.fixed_features(0), known_values.fixed_features(1)
    first, second = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum()
    a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))

    def squares(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return ((p[:, None] - q[None]) ** 2).sum(axis=2)

    def reach(p: np.ndarray, k: int) -> np.ndarray:
        return np.sort(squares(p, p), axis=1)[:, k]  # the first is itself

    kernel = [np.exp(-squares(p, q) / 200).mean() for p, q in ((a, a), (b, b), (a, b))]
    across, balls = squares(x, y), squares(x, y) <= reach(y, 5)
    values = {
        "FD": gap + np.trace(first + second - 2 * sqrtm(first @ second).real),
        "KID": float(poly_mmd(torch.from_numpy(y), torch.from_numpy(x))),
        "CMMD": 1000 * (kernel[0] + kernel[1] - 2 * kernel[2]),
        "precision": (across <= reach(y, 3)).any(axis=1).mean(),
        "recall": (across.T <= reach(x, 3)).any(axis=1).mean(),
        "density": balls.sum() / (5 * len(x)),
        "coverage": balls.any(axis=0).mean(),
    }
    assert known_values.FIXED == pytest.approx(values, rel=1e-8)


def test_a_broken_metric_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_mean(first: object, second: object) -> Distance:
        result = frechet.distance(first, second)
        gap = result.first.mean - result.second.mean
        return result._replace(value=result.value - float(gap @ gap))

    def biased(x: np.ndarray, y: np.ndarray, *_: object) -> Estimate:
        cubes = [(p @ q.T / p.shape[1] + 1) ** 3 for p, q in ((x, x), (y, y), (x, y))]
        value = cubes[0].mean() + cubes[1].mean() - 2 * cubes[2].mean()
        return Estimate(value, x[:, 0], lambda i, j: np.zeros(len(i)), value)

    for name, mutant, words in (
        ("kid", biased, "KID"),
        ("is_inside", lambda x, y, k: np.ones(len(x)), "precision"),
        ("cmmd", lambda x, y, sigma, scale: Estimate(0.0, x[:, 0], len, 0.0), "CMMD"),
        ("cosines", lambda x, y: (x * y).sum(axis=1), "cosine"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(known_values, name, mutant)
            assert broken() and all(check.startswith((words, "recall")) for check in broken())
    namespace = type("Mutant", (), {"fit": frechet.fit, "distance": staticmethod(without_mean)})
    monkeypatch.setattr(known_values, "frechet", namespace)
    assert [check.partition(" of ")[0] for check in broken()] == ["FD"] * 3


def test_a_published_distance_is_computed_from_its_files(tmp_path: Path) -> None:
    files = []
    for name, mean in (("a", 0.0), ("b", 2.0)):
        files.append(str(tmp_path / f"{name}.npz"))
        np.savez(files[-1], mu=np.full(3, mean), sigma=np.eye(3))
    right, wrong = known_values.known_values([(*files, 12.03), (*files, 12.5)])[-2:]
    assert right.ok and not wrong.ok and right.found == pytest.approx(12)
