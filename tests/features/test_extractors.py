"""What holds for every extractor: its contract (imagen_lit/features/extractor.py)."""

import json
from pathlib import Path
from typing import Any

import made_weights
import numpy as np
import pytest
import tiny_models
import torch
from small_extractor import SmallExtractor

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.protocol import digest
from imagen_lit.features.clip import CLIP
from imagen_lit.features.dino import DINOv2
from imagen_lit.features.efficientnet_lite0 import EfficientNetLite0
from imagen_lit.features.extractor import Extractor, TextExtractor
from imagen_lit.features.inception import Inception

IMAGES = [made_weights.image(*size) for size in ((20, 20), (64, 48), (90, 200))]


def efficientnet(folder: Path) -> EfficientNetLite0:
    file = folder / "made.pth"
    tensors = made_weights.state(made_weights.efficientnet_shapes())
    return EfficientNetLite0(str(file), made_weights.save(tensors, file), batch=2, device="cpu")


def clip(folder: Path) -> CLIP:
    path = str(tiny_models.save_clip(folder))
    return CLIP("clip", path, tiny_models.CLIP_WIDTH, batch=2, device="cpu")


def dino(folder: Path) -> DINOv2:
    path = str(tiny_models.save_dino(folder))
    return DINOv2("dino", path, tiny_models.DINO_WIDTH, batch=2, device="cpu")


def small(_: Path) -> SmallExtractor:
    return SmallExtractor()


MAKERS = {"efficientnet": efficientnet, "clip": clip, "dino": dino, "small": small}


@pytest.fixture(scope="module", params=["inception", *MAKERS])
def extractor(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    inception_weights: tuple[str, str],
) -> Any:
    if request.param == "inception":
        return Inception(*inception_weights, batch=2, device="cpu")
    return MAKERS[request.param](tmp_path_factory.mktemp(request.param))


def test_it_has_the_form_of_an_extractor(extractor: Extractor) -> None:
    assert isinstance(extractor, Extractor)
    assert isinstance(extractor, TextExtractor) == isinstance(extractor, CLIP)


def test_vectors_are_float32_of_its_width_for_images_of_any_sizes(extractor: Extractor) -> None:
    vectors = extractor.features(IMAGES)
    assert vectors.shape == (3, extractor.width) and vectors.dtype == np.float32
    assert np.ptp(vectors, axis=0).max() > 1e-3, "other images have other vectors"
    assert extractor.features([]).shape == (0, extractor.width)


def test_a_vector_depends_on_its_image_alone(extractor: Extractor) -> None:
    together = extractor.features(IMAGES)
    for other, before in zip(extractor.features(IMAGES[1:]), together[1:], strict=True):
        np.testing.assert_allclose(other, before, rtol=1e-4, atol=1e-5)


def test_a_training_around_it_changes_nothing(extractor: Extractor) -> None:
    before = extractor.features(IMAGES[:1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert np.array_equal(extractor.features(IMAGES[:1]), before)
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_its_facts_are_plain_and_name_weights_and_resizing(extractor: Extractor) -> None:
    facts = extractor.facts()
    assert digest(json.loads(json.dumps(facts))) == digest(facts)
    assert {"extractor", "weights_sha256", "resize"} <= facts.keys()
    if not isinstance(extractor, SmallExtractor):
        assert len(facts["weights_sha256"]) == 64
        assert {"size", "kernel", "antialias", "result"} <= facts["resize"].keys()
        assert "normalisation" in facts


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
    ],
    ids=["float", "grey", "channels first", "empty"],
)
@pytest.mark.parametrize("extractor", ["inception", "efficientnet", "clip", "dino"], indirect=True)
def test_an_image_of_another_form_is_refused(extractor: Extractor, image: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"image 1 is \w+ \[.*\], and features need uint8.*Conv"):
        extractor.features([IMAGES[0], image])


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tensors = made_weights.state(made_weights.efficientnet_shapes())
    tensors["_conv_head.weight"][0] = float("nan")
    sha256 = made_weights.save(tensors, tmp_path / "made.pth")
    extractor = EfficientNetLite0(str(tmp_path / "made.pth"), sha256, device="cpu")
    with pytest.raises(InputError, match=r"not finite\. Check its weights"):
        extractor.features(IMAGES)


@pytest.mark.parametrize("kind", [Inception, EfficientNetLite0])
def test_another_way_to_resize_is_another_protocol(kind: Any) -> None:
    ways = ("tf1_bilinear", "pil_bicubic_antialias", "pil_bicubic_uint8", "torch_bicubic_antialias")
    assert len({digest(kind("none", resize=way, device="cpu").facts()) for way in ways}) == 4


@pytest.mark.parametrize("kind", [Inception, EfficientNetLite0])
def test_other_weights_are_used_only_with_their_own_hash(kind: Any, tmp_path: Path) -> None:
    sha256 = made_weights.save({}, tmp_path / "made.pth")
    with pytest.raises(InputError, match=f"their sha256 is {sha256}, not"):
        kind(str(tmp_path / "made.pth"), device="cpu").features(IMAGES)
    with pytest.raises(InputError, match="do not fit"):
        kind(str(tmp_path / "made.pth"), sha256, device="cpu").features(IMAGES)
