"""A scene is plain data that fits into its frame, and its image is the same at every resolution."""

import json
from itertools import combinations

import numpy as np

from imagen_lit.shapes.held_out import HELD_OUT_WORDS, WORDS
from imagen_lit.shapes.scene import FONT, INK, coverage, render


def test_a_scene_can_be_written_as_json(examples: list) -> None:
    for scene, _ in examples[:50]:
        assert json.loads(json.dumps(scene)) == scene


def test_an_image_is_the_box_average_of_the_larger_image(examples: list) -> None:
    for scene, _ in examples[:60]:
        large = render(scene, 256).astype(float)
        for size in (16, 64):
            block = 256 // size
            average = large.reshape(size, block, size, block, 3).mean((1, 3))
            # Both images were rounded to whole levels.
            assert np.abs(average - render(scene, size)).max() <= 1.5


def test_objects_keep_apart_and_within_the_frame(examples: list) -> None:
    size, gap = 128, 8  # one cell
    for scene, _ in examples[:300]:
        pixels = []
        for o in scene["objects"]:
            rows, columns, share = coverage(o["shape"], o["centre"], o["extent"], size)
            canvas = np.zeros((size, size))
            canvas[rows, columns] = share
            pixels.append(np.argwhere(canvas > 0))
            assert pixels[-1].min() >= 1 and pixels[-1].max() <= size - 2, scene
        for a, b in combinations(pixels, 2):
            distance = np.abs(a[::3, None] - b[None, ::3]).max(2).min()
            assert distance >= gap, scene


def test_words_are_crisp_in_the_smallest_image(examples: list) -> None:
    words = [scene for scene, _ in examples if scene["category"] == "word"]
    for scene in words[:40]:
        image = render(scene, 16)
        ink = (image == INK).all(2)
        assert ink.any() and (image[~ink].min(1) > 200).all()


def test_every_letter_looks_different() -> None:
    for (a, first), (b, second) in combinations(FONT.items(), 2):
        assert (first != second).any(), (a, b)
    assert set("".join(WORDS + HELD_OUT_WORDS)) <= set(FONT)
