"""CLIP score in its three forms, R-precision, and what every score carries: its protocol."""

from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf
from toy_sample import ToyExtractor, ToyImages, noise_images

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets
from imagen_lit.evaluation.protocol import digest
from imagen_lit.metrics.clip_score import CLIPScore
from imagen_lit.metrics.retrieval import RPrecision, distractors, is_first
from imagen_lit.metrics.sample import Sample

CONF = Path(assets.conf()) / "metrics"
COUNT = 24
PROMPTS = [f"a thing of kind {number // 2}" for number in range(COUNT)]


def toy(folder: Path, system: str = "ours", categories: list[str] | None = None) -> Sample:
    return Sample(ToyImages(noise_images(COUNT), PROMPTS, system), folder, categories)


def clip_score(name: str) -> CLIPScore:
    node = OmegaConf.load(CONF / f"{name}.yaml")
    del node["extractor"]
    return instantiate(node, _partial_=True)(extractor=ToyExtractor())


def cosines(prefix: str) -> np.ndarray:
    extractor = ToyExtractor()
    images = extractor.features(noise_images(COUNT)).astype(np.float64)
    texts = extractor.text_features([prefix + text for text in PROMPTS]).astype(np.float64)
    lengths = np.linalg.norm(images, axis=1) * np.linalg.norm(texts, axis=1)
    return (images * texts).sum(axis=1) / lengths


@pytest.mark.parametrize(
    ("name", "prefix", "form"),
    [
        ("clip_score", "", lambda cosine: cosine),
        ("clip_score_authors", "A photo depicts ", lambda cosine: 2.5 * np.maximum(cosine, 0)),
        ("clip_score_torchmetrics", "", lambda cosine: 100 * cosine),
    ],
)
def test_each_form_is_what_its_file_says(
    tmp_path: Path, name: str, prefix: str, form: object
) -> None:
    metric, sample = clip_score(name), toy(tmp_path)
    assert metric.extract(sample)
    expected = form(cosines(prefix))
    assert cosines(prefix).min() < 0 < cosines(prefix).max(), "or the clamp is not seen"
    (score,) = metric.scores(sample)
    assert score.value == pytest.approx(expected.mean(), rel=1e-6)
    assert score.metric == name and score.n == COUNT
    assert score.method == "bootstrap over 12 prompts"
    low, high = score.interval
    assert low < score.value < high


def test_the_three_forms_share_no_protocol(tmp_path: Path) -> None:
    names = ("clip_score", "clip_score_authors", "clip_score_torchmetrics")
    sample, digests = toy(tmp_path), set()
    for metric in map(clip_score, names):
        metric.extract(sample)
        digests.add(digest(metric.scores(sample)[0].protocol))
    assert len(digests) == 3


def test_a_system_leaves_no_trace_in_the_protocol(tmp_path: Path) -> None:
    metric = clip_score("clip_score")
    ours, theirs = toy(tmp_path / "a", "ours"), toy(tmp_path / "b", "theirs")
    for sample in (ours, theirs):
        metric.extract(sample)
    first, second = (metric.scores(sample)[0].protocol for sample in (ours, theirs))
    assert first == second
    assert first["metric"]["extractor"] == ToyExtractor().facts()


def test_each_category_has_a_score_of_its_own(tmp_path: Path) -> None:
    categories = ["colour"] * 10 + ["count"] * 12 + [None] * 2
    metric, sample = clip_score("clip_score"), toy(tmp_path, categories=categories)
    metric.extract(sample)
    scores = {score.metric: score for score in metric.scores(sample)}
    assert list(scores) == ["clip_score", "clip_score/colour", "clip_score/count"]
    assert [score.n for score in scores.values()] == [24, 10, 12]
    assert scores["clip_score/colour"].value == pytest.approx(cosines("")[:10].mean())
    assert len({digest(score.protocol) for score in scores.values()}) == 3


def test_one_prompt_gives_no_interval(tmp_path: Path) -> None:
    metric = clip_score("clip_score")
    sample = Sample(ToyImages(noise_images(3), ["a"] * 3), tmp_path)
    metric.extract(sample)
    (score,) = metric.scores(sample)
    assert score.interval is None and score.method.startswith("no interval: from 1 prompt")


def test_distractors_are_other_texts_whatever_their_order() -> None:
    texts = [f"text {number}" for number in range(40)]
    numbers = distractors(texts, 30, seed=3)
    for own, row in enumerate(numbers):
        assert len(set(row)) == 30 and own not in row
    turned = distractors(texts[::-1], 30, seed=3)
    assert {texts[::-1][n] for n in turned[0]} == {texts[n] for n in numbers[39]}
    assert not np.array_equal(distractors(texts, 30, seed=4), numbers)
    counts = np.bincount(numbers.reshape(-1), minlength=40)
    assert counts.min() > 15, "each is a distractor about as often"


def test_r_precision_is_one_for_the_right_image_and_chance_for_noise() -> None:
    rng = np.random.default_rng(0)
    texts, own = rng.normal(size=(200, 16)), np.repeat(np.arange(200), 20)
    others = distractors([f"text {number:03}" for number in range(200)], 9, seed=0)
    assert is_first(texts[own], texts, own, others).all()
    noise = is_first(rng.normal(size=(4000, 16)), texts, own, others).mean()
    assert noise == pytest.approx(0.1, abs=0.02)
    assert not is_first(texts[:1], np.ones((200, 16)), own[:1], others).any(), "a tie is a miss"


def test_r_precision_needs_more_prompts_than_distractors(tmp_path: Path) -> None:
    sample = toy(tmp_path)
    with pytest.raises(InputError, match="12 different prompts have no 99 others"):
        RPrecision(ToyExtractor()).check(sample)
    metric = RPrecision(ToyExtractor(), distractors=11)
    assert metric.extract(sample)
    assert 0 <= metric.scores(sample)[0].value <= 1
