"""The shapes world as a source of samples: each a function of the seed and its number alone."""

import io

import numpy as np
import pytest
from PIL import Image

from imagen_lit.data.source.shapes import Shapes
from imagen_lit.shapes.scene import render


def test_a_scene_depends_on_its_seed_and_number_alone() -> None:
    source, longer = Shapes(8, 32, seed=1), Shapes(99, 32, seed=1)
    forwards = [source[number] for number in range(8)]
    backwards = [longer[number] for number in reversed(range(8))]
    assert forwards == backwards[::-1]
    other = Shapes(8, 32, seed=2)
    assert [s["caption"] for s in forwards] != [other[n]["caption"] for n in range(8)]


def test_a_scene_is_the_same_at_every_resolution() -> None:
    small, large = Shapes(5, 16, seed=1), Shapes(5, 256, seed=1)
    for number in range(5):
        assert small[number]["metadata"] == large[number]["metadata"]
        assert small[number]["caption"] == large[number]["caption"]


def test_the_image_is_a_jpeg_of_the_scene() -> None:
    for sample in (Shapes(6, 64, seed=4)[number] for number in range(6)):
        image = Image.open(io.BytesIO(sample["image"]))
        assert (image.format, image.size, sample["extension"]) == ("JPEG", (64, 64), "jpg")
        error = np.abs(np.asarray(image, float) - render(sample["metadata"], 64))
        assert error.mean() < 2


def test_the_mix_decides_the_categories() -> None:
    source = Shapes(400, 16, seed=0, mix={"one": 3, "word": 1})
    words = [source.describe(n)[0]["category"] for n in range(400)].count("word")
    assert 70 < words < 130
    choices = "Choose from one, two, count, word"
    with pytest.raises(ValueError, match=f"category 'three' does not exist. {choices}"):
        Shapes(1, 16, seed=0, mix={"three": 1})[0]


def test_a_number_beyond_the_last_scene_is_refused() -> None:
    source = Shapes(3, 16, seed=0)
    assert len(list(source)) == 3
    with pytest.raises(IndexError, match="scene number 3 is not in 0 to 2"):
        source[3]
