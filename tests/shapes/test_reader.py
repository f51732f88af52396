"""The reader is right about real images, at chance on other captions, and strict."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imagen_lit.data.source.shapes import Shapes
from imagen_lit.shapes import caption, held_out, world
from imagen_lit.shapes.reader import matches, read
from imagen_lit.shapes.scene import COLOURS, SHAPES, render

MIX = {"one": 1, "two": 1, "count": 1, "word": 1}


def scenes(total: int, seed: int, **mix: int) -> list[dict]:
    source = Shapes(total, 16, seed, mix or MIX)
    return [source.describe(number)[0] for number in range(total)]


def exact_share(images: list[np.ndarray], expectations: list[dict]) -> float:
    pairs = zip(images, expectations, strict=True)
    return float(np.mean([matches(read(image), e)["exact"] for image, e in pairs]))


@pytest.mark.parametrize("size", [16, 24, 64, 256])
def test_real_images_are_read_exactly(size: int) -> None:
    real = scenes(120, seed=11)
    assert exact_share([render(scene, size) for scene in real], real) >= 0.99


@pytest.mark.parametrize("size", [16, 64])
def test_held_out_combinations_are_read_exactly_too(size: int) -> None:
    everything = dict.fromkeys(held_out.PLACES, held_out.KINDS)
    rng = np.random.default_rng(2)
    mixed = [
        world.draw_scene(rng, category, everything, held_out.HELD_OUT_WORDS)
        for category in MIX
        for _ in range(20)
    ]
    assert exact_share([render(scene, size) for scene in mixed], mixed) >= 0.99


def test_other_captions_are_right_only_by_chance() -> None:
    real = scenes(120, seed=12)
    others = real[1:] + real[:1]

    def content(scene: dict) -> tuple:  # what a caption would say, in a form that can be compared
        kinds = [(o["colour"], o["shape"]) for o in scene["objects"]]
        if scene["relation"] in ("below", "right"):
            return scene["relation"] == "below", *kinds[::-1]
        return scene["relation"] == "above", *sorted(kinds), scene["word"] and scene["word"]["text"]

    chance = np.mean([content(a) == content(b) for a, b in zip(real, others, strict=True)])
    share = exact_share([render(scene, 64) for scene in real], others)
    assert share <= chance + 0.005 < 0.05


def test_a_scene_fulfils_its_own_caption() -> None:
    """Captions are expectations in which some sizes are not mentioned."""
    rng = np.random.default_rng(3)
    for scene in scenes(40, seed=13):
        expectation = caption.expectation(rng, scene)
        answer = matches(read(render(scene, 64)), expectation)
        assert all(value is not False for value in answer.values()), (scene, answer)


def test_what_a_caption_does_not_mention_is_not_judged() -> None:
    (word,), (one,) = scenes(1, 0, word=1), scenes(1, 0, one=1)
    answer = matches(read(render(word, 64)), word)
    assert [answer[n] for n in ("colour", "shape", "size", "relation")] == [None] * 4
    assert answer["word"] is True and answer["count"] is True
    answer = matches(read(render(one, 64)), one)
    assert answer["word"] is None and answer["relation"] is None


def blur(image: np.ndarray) -> np.ndarray:
    radius = max(0.3, len(image) / 85)
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def add_noise(image: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(len(image)).normal(0, 0.05, image.shape)
    return (image / 127.5 - 1 + noise).clip(-1, 1).astype(np.float32)


def compress(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95, subsampling=0)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("size", [16, 64, 256])
@pytest.mark.parametrize("spoil", [blur, add_noise, compress])
def test_slight_damage_is_forgiven(spoil: Callable, size: int) -> None:
    real = scenes(64, seed=14)
    assert exact_share([spoil(render(scene, size)) for scene in real], real) >= 0.97


def test_both_layouts_and_both_number_formats_are_read_alike() -> None:
    image = render(scenes(1, 1, two=1)[0], 64)
    floats = image.astype(np.float32) / 127.5 - 1
    assert read(image) == read(floats) == read(floats.transpose(2, 0, 1))


def test_positions_and_extents_are_measured() -> None:
    for scene in scenes(40, seed=15, one=1, two=1):
        objects = read(render(scene, 64))["objects"]
        for o in scene["objects"]:
            distances = [np.hypot(*np.subtract(other["centre"], o["centre"])) for other in objects]
            assert min(distances) < 0.01
        extents = sorted(o["extent"] for o in scene["objects"])
        assert sorted(o["extent"] for o in objects) == pytest.approx(extents, abs=0.01)


# --- corrupted images are read as wrong ---------------------------------------------------------

SIZES = pytest.mark.parametrize("size", [16, 64, 256])


@SIZES
def test_an_erased_object_is_noticed(size: int) -> None:
    for scene in scenes(24, 21, two=1, count=1):
        poorer = scene | {"objects": scene["objects"][1:]}
        answer = matches(read(render(poorer, size)), scene)
        assert answer["count"] is False and answer["exact"] is False


@SIZES
def test_a_swapped_colour_is_noticed(size: int) -> None:
    names = list(COLOURS)
    for i, scene in enumerate(scenes(24, 22, one=1, two=1, count=1)):
        first, *others = scene["objects"]
        new = names[(names.index(first["colour"]) + 1 + i % 7) % 8]
        image = render(scene | {"objects": [first | {"colour": new}, *others]}, size)
        answer = matches(read(image), scene)
        assert answer["colour"] is False and answer["exact"] is False
        assert answer["shape"] is True


@SIZES
def test_a_swapped_shape_is_noticed(size: int) -> None:
    names = list(SHAPES)
    wrong = []
    for i, scene in enumerate(scenes(24, 23, one=1, two=1, count=1)):
        first, *others = scene["objects"]
        new = names[(names.index(first["shape"]) + 1 + i % 4) % 5]
        image = render(scene | {"objects": [first | {"shape": new}, *others]}, size)
        answer = matches(read(image), scene)
        wrong.append(answer["exact"])
    assert not any(wrong)


@SIZES
def test_colours_exchanged_between_two_objects_are_not_exact(size: int) -> None:
    for scene in scenes(24, 24, two=1):
        a, b = scene["objects"]
        if a["colour"] == b["colour"] or a["shape"] == b["shape"]:
            continue
        swapped = [a | {"colour": b["colour"]}, b | {"colour": a["colour"]}]
        answer = matches(read(render(scene | {"objects": swapped}, size)), scene)
        assert answer["colour"] is True and answer["shape"] is True  # each list is complete
        assert answer["exact"] is False  # but neither object is the expected one


@SIZES
def test_a_mirrored_relation_is_noticed(size: int) -> None:
    for scene in scenes(24, 25, two=1):
        image = render(scene, size)
        axis = 0 if scene["relation"] in ("above", "below") else 1
        mirrored = [
            o | {"centre": [1 - c if i == 1 - axis else c for i, c in enumerate(o["centre"])]}
            for o in scene["objects"]
        ]
        answer = matches(read(render(scene | {"objects": mirrored}, size)), scene)
        assert answer["colour"] is True and answer["shape"] is True
        assert answer["relation"] is False and answer["exact"] is False
        assert matches(read(image), scene)["relation"] is True


@SIZES
@pytest.mark.parametrize("colour", [(120, 70, 30), (214, 34, 40), (34, 36, 46), (150, 150, 150)])
def test_an_extra_blob_is_noticed(size: int, colour: tuple[int, int, int]) -> None:
    """One and a half cells wide, in colours of the world and others, near the frame."""
    for scene in scenes(30, 26, one=1):
        x, y = scene["objects"][0]["centre"]
        column, row = (1 if c > 0.5 else 13 for c in (x, y))
        image = render(scene, size)
        cell = size / 16
        top, left = round(row * cell), round(column * cell)
        side = max(2, round(1.5 * cell))
        image[top : top + side, left : left + side] = colour
        answer = matches(read(image), scene)
        assert answer["count"] is False and answer["exact"] is False


@SIZES
def test_a_word_with_one_wrong_letter_is_another_word(size: int) -> None:
    for scene in scenes(30, 27, word=1):
        text = scene["word"]["text"]
        other = text[:1] + ("o" if text[1] != "o" else "a") + text[2:]
        image = render(scene | {"word": scene["word"] | {"text": other}}, size)
        answer = matches(read(image), scene)
        assert answer["word"] is False and answer["exact"] is False


@SIZES
def test_an_object_beside_a_word_is_noticed(size: int) -> None:
    for scene in scenes(20, 28, word=1):
        row = 3 if scene["word"]["corner"][1] > 6 else 13
        place = {"centre": [0.5, row / 16], "extent": 4.4 / 16}
        extra = {"colour": "red", "shape": "circle", "size": "small"} | place
        reading = read(render(scene | {"objects": [extra]}, size))
        assert reading["word"] == scene["word"]["text"]
        answer = matches(reading, scene)
        assert answer["word"] is True and answer["exact"] is False


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("level", [0, 120, 235])
def test_an_empty_image_shows_nothing(size: int, level: int) -> None:
    reading = read(np.full((size, size, 3), level, np.uint8))
    assert reading["objects"] == [] and reading["word"] is None
    assert reading["ground"] is (level == 235)
    assert not matches(reading, scenes(1, 0, one=1)[0])["exact"]


def test_noise_alone_fulfils_no_caption() -> None:
    rng = np.random.default_rng(0)
    images = [rng.uniform(-1, 1, (16, 16, 3)) for _ in range(40)]
    assert exact_share(images, scenes(40, seed=29)) == 0


@pytest.mark.parametrize("shape", [(8, 8, 3), (32, 16, 3), (16, 16), (16, 16, 4)])
def test_anything_but_a_square_colour_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"cannot be read\. Give one square colour image"):
        read(np.zeros(shape, np.uint8))


def test_undefined_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite or undefined"):
        read(np.full((16, 16, 3), np.nan, np.float32))
