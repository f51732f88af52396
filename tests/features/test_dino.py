"""DINOv2 from a folder, with a tiny model, against what EDM2 and dgm-eval do to an image."""

from pathlib import Path

import made_weights
import numpy as np
import pytest
import tiny_models
import torch
import transformers
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil

from imagen_lit.basics.errors import InputError
from imagen_lit.features.dino import DINOv2

IMAGES = [made_weights.image(64, 64), made_weights.image(300, 260)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_dino(tmp_path_factory.mktemp("dino"))


def class_token(folder: Path, pixels: torch.Tensor) -> np.ndarray:
    model = transformers.Dinov2Model.from_pretrained(folder).eval()
    return model(pixel_values=pixels).last_hidden_state[:, 0].detach().numpy()


def test_dgm_evals_preparation_is_transformers_own_processor(folder: Path) -> None:
    """With the settings that make it dgm-eval's: a square of 224, Pillow's bicubic, ImageNet's
    mean and deviation."""
    prepare = BitImageProcessorPil(
        size={"height": 224, "width": 224}, do_center_crop=False, resample=3,
        image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225],
    )  # fmt: skip
    pixels = torch.cat([prepare(image, return_tensors="pt")["pixel_values"] for image in IMAGES])
    dino = DINOv2("dino", str(folder), 24, "dgm_eval", device="cpu")
    np.testing.assert_allclose(dino.features(IMAGES), class_token(folder, pixels), atol=1e-4)


def test_edm2s_preparation_is_torchs_antialiased_bicubic_kernel(folder: Path) -> None:
    pixels = []
    for image in IMAGES:
        square = torch.nn.functional.interpolate(
            torch.tensor(image).permute(2, 0, 1)[None].float(),
            size=(224, 224), mode="bicubic", antialias=True,
        )  # fmt: skip
        mean = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
        std = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
        pixels.append((square / 255 - mean) / std)
    dino = DINOv2("dino", str(folder), 24, "edm2", device="cpu")
    np.testing.assert_allclose(
        dino.features(IMAGES), class_token(folder, torch.cat(pixels)), atol=1e-4
    )


def test_the_two_preparations_have_other_facts_and_other_vectors(folder: Path) -> None:
    edm2, dgm_eval = (
        DINOv2("dino", str(folder), 24, name, device="cpu") for name in ("edm2", "dgm_eval")
    )
    assert edm2.facts() != dgm_eval.facts()
    assert np.abs(edm2.features(IMAGES) - dgm_eval.features(IMAGES)).max() > 1e-5


def test_a_preparation_that_is_not_known_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"preparation=mine is none of edm2, dgm_eval. Set"):
        DINOv2("dino", str(folder), 24, "mine")


def test_the_facts_change_with_the_weights_and_the_settings(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = DINOv2("dino", str(tmp_path), 24, device="cpu").facts()
    assert before == DINOv2("dino", str(folder), 24, device="cpu").facts(), "not where it lies"
    settings = tmp_path / "config.json"
    settings.write_text(settings.read_text().replace('"gelu"', '"relu"'))
    after = DINOv2("dino", str(tmp_path), 24, device="cpu").facts()
    assert [name for name in before if before[name] != after[name]] == ["config_sha256"]
