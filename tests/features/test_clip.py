"""CLIP from a folder, with a tiny model, against transformers' own preparation and model."""

import warnings
from pathlib import Path

import made_weights
import numpy as np
import pytest
import tiny_models
import torch
import transformers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from imagen_lit.basics.errors import InputError
from imagen_lit.features.clip import CLIP

TEXTS = ["a red circle above the blue square", "a square", ""]
IMAGES = [made_weights.image(40, 30), made_weights.image(17, 53), made_weights.image(32, 32)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_models.save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def clip(folder: Path) -> CLIP:
    return CLIP("clip", str(folder), 10, batch=2, device="cpu")


def test_images_have_the_vectors_of_transformers_own_preparation(clip: CLIP, folder: Path) -> None:
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    prepare = CLIPImageProcessorPil(**sizes)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    pixels = torch.cat([prepare(image, return_tensors="pt")["pixel_values"] for image in IMAGES])
    expected = model.get_image_features(pixel_values=pixels).pooler_output.detach().numpy()
    np.testing.assert_allclose(clip.features(IMAGES), expected, atol=1e-5)


def test_texts_have_the_vectors_of_transformers_own_model(clip: CLIP, folder: Path) -> None:
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    vectors = clip.text_features(TEXTS)
    for text, vector in zip(TEXTS, vectors, strict=True):
        ids = clip.tokenizer([text], return_tensors="pt")
        tokens = {name: ids[name] for name in ("input_ids", "attention_mask")}
        expected = model.get_text_features(**tokens).pooler_output[0].detach().numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)


def test_the_cosine_of_a_pair_is_the_models_own(clip: CLIP, folder: Path) -> None:
    """The model multiplies the cosine by its temperature."""
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokens = clip.tokenizer(TEXTS[:1], return_tensors="pt")
    pixels = torch.stack([clip._prepare(IMAGES[2])])
    ids = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    own = model(pixel_values=pixels, **ids).logits_per_image / model.logit_scale.exp()
    image, text = clip.features(IMAGES[2:])[0], clip.text_features(TEXTS[:1])[0]
    cosine = image @ text / np.linalg.norm(image) / np.linalg.norm(text)
    assert cosine == pytest.approx(own.item(), abs=1e-5)


def test_the_end_of_a_text_that_is_too_long_is_told(clip: CLIP) -> None:
    long = "a red circle above the blue square on the red square of the circle"
    with pytest.warns(UserWarning, match=r"the 12 tokens that clip reads. This is lost: '(.*)'"
                      ) as told:  # fmt: skip
        vectors = clip.text_features([long, long, "a square"])
    assert len(told) == 1 and "'square of the circle'" in str(told[0].message)
    short = clip.text_features([" ".join(long.split()[:10])])
    np.testing.assert_allclose(vectors[0], short[0], atol=1e-6)


def test_of_many_texts_that_are_too_long_five_are_named(clip: CLIP) -> None:
    with pytest.warns(UserWarning) as told:
        clip.text_features([" ".join(["a"] * count) for count in range(11, 18)])
    assert len(told) == 6 and "2 more texts are cut" in str(told[-1].message)


def test_a_text_that_fits_is_told_nothing_of(clip: CLIP) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clip.text_features([" ".join(["a"] * 10)])


def test_a_wrong_width_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"has width 10, but width=512. Set width=10\."):
        CLIP("clip", str(folder), 512, device="cpu").features(IMAGES)


def test_a_folder_that_is_not_there_is_named_with_the_command(tmp_path: Path) -> None:
    command = "hf download openai/clip --local-dir encoders/clip"
    clip = CLIP("clip", f"{tmp_path}/none", 10, make_command=command)
    for work in (clip.facts, lambda: clip.features(IMAGES), lambda: clip.text_features(TEXTS)):
        with pytest.raises(
            InputError, match=r"lacks config.json.*Fetch it with: hf download .*none"
        ):
            work()


def test_weights_that_leave_a_part_unset_are_refused(folder: Path, tmp_path: Path) -> None:
    """transformers would set it at random, and continue."""
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"do not fit CLIPModel: visual_projection\.weight is"):
        CLIP("clip", str(tmp_path), 10, device="cpu").features(IMAGES)
