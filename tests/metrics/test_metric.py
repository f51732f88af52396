"""Laws of every metric in conf/metrics/: its file builds it, its protocol says what it measured and
not whom, and a number of processes, or a reference that is missing, changes no number in silence.
"""

import string
from pathlib import Path
from typing import Any

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf
from toy_sample import ToyExtractor, ToyImages, noise_images

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.cli import assets
from imagen_lit.evaluation.protocol import digest
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics import feature_parts
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample

FILES = sorted((Path(assets.conf()) / "metrics").glob("*.yaml"))
PART = 16
COUNT = 2 * PART + 10
# So that few images suffice.
SMALL: dict[str, dict[str, Any]] = {
    "fd_infinity": {"smallest": 12},
    "kid": {"subsets": 3, "subset_size": 30},
    "kid_few": {"subsets": 3, "subset_size": 30},
    "r_precision": {"distractors": 5},
    "nearest_training": {"quantile": 0.2},
}

NO_MEAN = {"recall", "coverage"}  # over images


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_parts, "PART", PART)


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def metric(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    node = OmegaConf.to_container(OmegaConf.load(request.param))
    training = {"training": toy(tmp_path, seed=9).images, "feature_folder": str(tmp_path)}
    parts = {"extractor": ToyExtractor(), **training}
    values = node | SMALL.get(request.param.stem, {}) | {k: parts[k] for k in parts if k in node}
    return get_class(values.pop("_target_"))(**values)


def toy(folder: Path, seed: int = 0, system: str = "ours") -> Sample:
    letters = string.ascii_lowercase  # captions of the shapes world, so that `exact` takes them
    prompts = [f'the word "bu{letters[number // 3]}"' for number in range(COUNT)]
    categories = ["even" if number % 2 else "odd" for number in range(COUNT)]
    return Sample(ToyImages(noise_images(COUNT, seed, 16), prompts, system), folder, categories)


def measure(metric: Metric, sample: Sample, reference: Sample) -> list[Score]:
    for each in (sample, reference):
        assert metric.extract(each, Share(), lambda there, share: None)
    return metric.scores(sample, None if metric.against == "nothing" else reference)


def reference(folder: Path, seed: int = 1) -> Sample:
    return toy(folder / f"reference {seed}", seed, f"real {seed}")


def test_a_file_is_a_metric_of_its_name(metric: Metric, request: pytest.FixtureRequest) -> None:
    assert isinstance(metric, Metric)
    file = request.node.callspec.params["metric"]
    assert file.read_text().startswith(f"# @package metrics.{metric.name}\n")
    assert metric.facts()["name"] == metric.name and digest(metric.facts())


def test_a_score_has_a_value_an_interval_and_a_protocol(metric: Metric, tmp_path: Path) -> None:
    scores = measure(metric, toy(tmp_path / "own"), reference(tmp_path))
    assert len({score.metric for score in scores}) == len(scores)
    assert len({digest(score.protocol) for score in scores}) == len(scores)
    for score in scores:
        if score.interval is None:
            assert score.method.startswith("no interval")
        else:
            assert score.interval[0] <= score.value <= score.interval[1]
            assert " over " in score.method
        category = score.metric.partition("/")[2]
        assert score.protocol.get("category", "") == category
        assert score.n == (COUNT // 2 if category else COUNT)
        if score.values is not None:
            assert score.values.mean() == pytest.approx(score.value, rel=1e-9, abs=1e-12)
    lacking = {score.metric.partition("/")[0] for score in scores if score.values is None}
    assert lacking - {score.metric for score in scores if score.values is not None} <= NO_MEAN


def test_the_protocol_is_the_references_and_not_the_systems(metric: Metric, tmp_path: Path) -> None:
    def digests(system: str, real: int = 1) -> list[str]:
        sample = toy(tmp_path / system, 0, system)
        return [digest(s.protocol) for s in measure(metric, sample, reference(tmp_path, real))]

    assert digests("ours") == digests("theirs")
    is_compared = metric.against == "reference"
    assert (digests("ours") != digests("ours", real=2)) == is_compared


def test_processes_share_the_work_and_change_no_number(metric: Metric, tmp_path: Path) -> None:
    alone = measure(metric, toy(tmp_path / "alone"), reference(tmp_path))
    for rank in range(3):
        metric.extract(toy(tmp_path / "together"), Share(rank, 3), lambda there, share: None)
    assert measure(metric, toy(tmp_path / "together"), reference(tmp_path)) == alone


def test_a_missing_reference_is_refused(metric: Metric, tmp_path: Path) -> None:
    if metric.against != "nothing":
        with pytest.raises(InputError, match="Give a reference set of images"):
            metric.scores(toy(tmp_path), None)
    else:
        sample = toy(tmp_path / "own")
        assert measure(metric, sample, sample) == metric.scores(sample, reference(tmp_path))
