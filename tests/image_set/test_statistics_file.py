"""Published statistics: a mean and a covariance, or a sentence."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagen_lit.image_set.statistics import StatisticsFile


def moments() -> dict[str, np.ndarray]:
    features = np.random.default_rng(0).normal(size=(40, 5))
    return {"mu": features.mean(0), "sigma": np.cov(features, rowvar=False)}


def test_mean_and_covariance_are_read_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", **moments(), mu_s=np.zeros(3))
    file = StatisticsFile(str(tmp_path / "s.npz"))
    assert np.array_equal(file.mean, moments()["mu"]) and file.width == 5
    assert np.array_equal(file.covariance, moments()["sigma"])
    facts = file.facts()
    shutil.move(tmp_path / "s.npz", tmp_path / "t.npz")
    assert StatisticsFile(str(tmp_path / "t.npz")).facts() == facts
    np.savez(tmp_path / "t.npz", mu=moments()["mu"] + 1e-9, sigma=moments()["sigma"])
    assert StatisticsFile(str(tmp_path / "t.npz")).facts() != facts


def changed(name: str, value: Any) -> dict[str, Any]:
    return moments() | {name: value}


ASYMMETRIC = moments()["sigma"] + np.eye(5, k=1)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": np.zeros(5)}, r"holds no such statistics .*sigma.* Set path="),
        (changed("mu", np.zeros((5, 1))), r"have shapes \(5, 1\) and \(5, 5\)\. Set path="),
        (changed("sigma", np.eye(4)), r"have shapes \(5,\) and \(4, 4\)"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, r"have shapes \(0,\) and \(0, 0\)"),
        (changed("mu", np.full(5, np.nan)), r"numbers that are not finite\. Fetch it again"),
        (changed("sigma", np.full((5, 5), np.inf)), r"numbers that are not finite"),
        (changed("sigma", ASYMMETRIC), r"no covariance: it is not symmetric"),
        (changed("sigma", -np.eye(5)), r"no covariance.* a variance below 0"),
        (changed("mu", np.array([{}], object)), r"holds no such statistics .* Set path="),
        (changed("mu", np.array(["a"] * 5)), r"holds no such statistics"),
    ],
)
def test_what_is_no_mean_and_covariance_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        StatisticsFile(str(tmp_path / "s.npz"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text", b"\x93NUMPY"])
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"holds no such statistics .* Set path="):
        StatisticsFile(str(tmp_path / "s.npz"))
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.npz\. Set path="):
        StatisticsFile(str(tmp_path / "gone.npz"))
