"""A ruler says, before anything is looked at, which images it cannot measure, and warns of numbers
that would mean little."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_sample import ToyExtractor, ToyImages, noise_images

from imagen_lit.basics.errors import InputError
from imagen_lit.image_set.statistics import StatisticsFile
from imagen_lit.metrics.cmmd import CMMD
from imagen_lit.metrics.contrast import Contrast
from imagen_lit.metrics.density_coverage import DensityCoverage
from imagen_lit.metrics.fd import FD
from imagen_lit.metrics.fd_infinity import FDInfinity
from imagen_lit.metrics.kid import KID
from imagen_lit.metrics.looking_progress import LookingProgress
from imagen_lit.metrics.low_res_consistency import LowResConsistency
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.nearest_training import NearestTraining
from imagen_lit.metrics.precision_recall import PrecisionRecall
from imagen_lit.metrics.ruler import Ruler
from imagen_lit.metrics.sample import Sample


def stages(count: int = 20, size: int = 8) -> dict[str, ToyImages]:
    return {"images": ToyImages(noise_images(count, size=size))}


def statistics(folder: Path, width: int) -> StatisticsFile:
    np.savez(folder / "s.npz", mu=np.zeros(width), sigma=np.eye(width))
    return StatisticsFile(str(folder / "s.npz"))


def ruler(metric: Metric, folder: Path, width: int = 4) -> Ruler:
    return Ruler({metric.name: metric}, folder, lambda size: statistics(folder, width))


@pytest.mark.parametrize(
    "metric",
    [
        KID(ToyExtractor()),
        CMMD(ToyExtractor()),
        PrecisionRecall(ToyExtractor(), 3),
        DensityCoverage(ToyExtractor(), 3),
        NearestTraining(ToyExtractor(), None, ""),
    ],
    ids=lambda metric: metric.name,
)
def test_statistics_alone_are_refused_by_what_compares_images(
    metric: Metric, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"{metric.name} compares .* one by one.* measure fd"):
        ruler(metric, tmp_path).check(stages())


@pytest.mark.parametrize(
    "metric", [FD(ToyExtractor()), FDInfinity(ToyExtractor(), 6)], ids=lambda metric: metric.name
)
def test_statistics_of_another_width_are_refused_before_the_number_of_images(
    metric: Metric, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"is of 1280 dimensions.*extractor of 4\. Choose the ext"):
        ruler(metric, tmp_path, 1280).check(stages(3))
    assert not list(tmp_path.glob("features/**/*.npy"))
    ruler(metric, tmp_path).check(stages(20))
    with pytest.raises(InputError, match="dimensions"):
        ruler(metric, tmp_path).check(stages(3))


def test_a_metric_that_finds_no_stage_before_says_that_it_measures_nothing(tmp_path: Path) -> None:
    own = Ruler({"low_res_consistency": LowResConsistency()}, tmp_path)
    with pytest.warns(UserWarning, match=r"low_res_consistency measures nothing here.* no stage"):
        own.check(stages())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own.check({"base": stages()["images"], "sr": stages(size=16)["images"]})


class Enlarges(ToyExtractor):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def facts(self) -> Mapping[str, Any]:
        return {**super().facts(), "resize": {"size": self.size}}


def test_tiny_images_that_a_network_enlarges_are_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"fd looks at images .* enlarges 8x8 to 224x224"):
        ruler(FD(Enlarges(224)), tmp_path).check(stages())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ruler(FD(Enlarges(112)), tmp_path).check(stages())


def test_images_of_a_single_colour_are_warned_of(tmp_path: Path) -> None:
    own = Ruler({"contrast": Contrast()}, tmp_path)
    plain = noise_images(3, size=1).repeat(8, axis=1).repeat(8, axis=2)
    grey = {"images": ToyImages(plain, system="plain")}
    own.extract(grey)
    with pytest.warns(UserWarning, match=r"each of the 3 images is of a single colour"):
        own.measure(grey)
    plain[2, 0, 0] += 1
    almost = {"images": ToyImages(plain, system="almost")}
    own.extract(almost)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own.measure(almost)


def test_a_line_stands_before_the_first_image_is_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Looks(ToyExtractor):
        def features(self, images: Any) -> np.ndarray:
            assert "0/20 images looked at" in capsys.readouterr().err
            return super().features(images)

    own = Sample(stages()["images"], tmp_path)
    own.extract(Looks(), report=LookingProgress())
    assert "20/20 images looked at in" in capsys.readouterr().err
    own.extract(Looks(), report=LookingProgress())
    assert capsys.readouterr().err == "", "what is there already is not looked at"
