"""Scenes of the shapes world as a set: the world itself is the reference, without any file."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from caption_parser import FORBIDDEN, parse, triples
from PIL import Image

from imagen_lit.data.source.shapes import Shapes
from imagen_lit.image_set import shapes
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.shapes import HeldOutScenes, TrainingScenes
from imagen_lit.shapes import held_out, reader


@pytest.mark.parametrize("kind", [TrainingScenes, HeldOutScenes])
def test_a_scene_depends_on_its_number_and_the_seed_alone(kind: type[TrainingScenes]) -> None:
    few, many, other = kind(5, 32), kind(50, 32), kind(50, 32, seed=2)
    assert isinstance(few, ImageSet) and len(many) == len(many.prompts) == 50
    assert few.prompts == many.prompts[:5] and other.prompts != many.prompts
    assert all(np.array_equal(few.image(i), many.image(i)) for i in range(5))
    assert few.image(0).shape == (32, 32, 3) and few.image(0).dtype == np.uint8


def test_training_scenes_are_those_of_the_training_data() -> None:
    """But for the JPEG in between."""
    images, source = TrainingScenes(4, 64, seed=0), Shapes(4, 64, 0)
    for number in range(4):
        entry = source[number]
        decoded = np.asarray(Image.open(io.BytesIO(entry["image"])))
        assert entry["caption"] == images.prompts[number]
        assert np.abs(images.image(number).astype(int) - decoded).mean() < 2


def is_forbidden(prompt: str) -> bool:
    content = parse(prompt)
    return bool(triples(content) & FORBIDDEN) or content["word"] in held_out.HELD_OUT_WORDS


def test_only_held_out_scenes_show_what_training_never_does() -> None:
    assert all(map(is_forbidden, HeldOutScenes(60, 16).prompts))
    assert not any(map(is_forbidden, TrainingScenes(60, 16).prompts))


def test_the_exact_reader_finds_what_a_caption_says() -> None:
    images = HeldOutScenes(12, 64)
    for number, prompt in enumerate(images.prompts):
        content = parse(prompt)
        names = ("size", "colour", "shape")
        objects = [dict(zip(names, each, strict=True)) for each in content["objects"]]
        seen = reader.matches(reader.read(images.image(number)), content | {"objects": objects})
        assert seen["exact"], prompt


def test_facts_change_with_the_setting_or_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [TrainingScenes(20, 32), TrainingScenes(21, 32), TrainingScenes(20, 33)]
    sets += [TrainingScenes(20, 32, seed=2), HeldOutScenes(20, 32)]
    facts = [json.dumps(each.facts(), sort_keys=True) for each in sets]
    assert len(set(facts)) == len(sets)
    assert json.dumps(TrainingScenes(20, 32).facts(), sort_keys=True) == facts[0]
    render = shapes.scene.render

    def other(scene: dict, size: int) -> np.ndarray:
        image = render(scene, size)
        image[0, 0, 0] ^= 1
        return image

    monkeypatch.setattr(shapes.scene, "render", other)
    assert json.dumps(TrainingScenes(20, 32).facts(), sort_keys=True) != facts[0]


def test_a_size_that_no_scene_can_have_is_refused(tmp_path: Path) -> None:
    for size, message in ((15, "16 or more"), (5000, r"larger than 4096\. Set it")):
        with pytest.raises(ValueError, match=message):
            TrainingScenes(4, size)
    with pytest.raises(ValueError, match=r"count=0 is not a whole number"):
        HeldOutScenes(0, 32)
