"""Scenes of the shapes world as a set: the world itself is the reference, without any file."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
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


def test_held_out_scenes_show_what_training_never_does() -> None:
    images, training = HeldOutScenes(60, 16), TrainingScenes(60, 16)
    assert all(held_out.is_held_out(images.describe(number)[0]) for number in range(60) if
               images.describe(number)[0]["word"] is None)
    assert not any(
        held_out.is_held_out({**drawn, "word": (drawn["word"] or {}).get("text")})
        for drawn, _ in map(training.describe, range(60))
    )


def test_the_exact_reader_finds_what_a_caption_says() -> None:
    images = HeldOutScenes(12, 64)
    for number in range(12):
        drawn, _ = images.describe(number)
        seen = reader.read(images.image(number))
        assert len(seen["objects"]) == len(drawn["objects"])


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
