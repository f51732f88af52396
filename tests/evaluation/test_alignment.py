"""The reader is right about real pictures, at chance on foreign captions, and hard to please."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from imagen_lit.data import demo, demo_scene
from imagen_lit.evaluation.alignment import matches, read

MIX = {"one": 1, "two": 1, "count": 1, "word": 1}


def scenes(many: int, seed: int, **mix: int) -> list[dict]:
    source = demo.Demo(many, 16, seed, mix or MIX)
    return [source.tell(number)[0] for number in range(many)]


def exact_share(pictures: list[np.ndarray], expectations: list[dict]) -> float:
    pairs = zip(pictures, expectations, strict=True)
    return float(np.mean([matches(read(picture), e)["exact"] for picture, e in pairs]))


@pytest.mark.parametrize("size", [16, 24, 64, 256])
def test_real_pictures_are_read_exactly(size: int) -> None:
    real = scenes(120, seed=11)
    assert exact_share([demo_scene.render(scene, size) for scene in real], real) >= 0.99


@pytest.mark.parametrize("size", [16, 64])
def test_combinations_that_training_never_shows_are_read_too(size: int) -> None:
    everything = dict.fromkeys(demo.PLACES, demo.KINDS)
    rng = np.random.default_rng(2)
    strange = [
        demo.draw_scene(rng, category, everything, demo.HELD_OUT_WORDS)
        for category in MIX
        for _ in range(20)
    ]
    assert exact_share([demo_scene.render(scene, size) for scene in strange], strange) >= 0.99


def test_foreign_captions_are_right_only_by_chance() -> None:
    real = scenes(120, seed=12)
    foreign = real[1:] + real[:1]

    def said(scene: dict) -> tuple:  # what a caption would say, in a form that can be compared
        kinds = [(o["colour"], o["shape"]) for o in scene["objects"]]
        if scene["relation"] in ("below", "right"):
            return scene["relation"] == "below", *kinds[::-1]
        return scene["relation"] == "above", *sorted(kinds), scene["word"] and scene["word"]["text"]

    chance = np.mean([said(a) == said(b) for a, b in zip(real, foreign, strict=True)])
    found = exact_share([demo_scene.render(scene, 64) for scene in real], foreign)
    assert found <= chance + 0.005 < 0.05


def test_a_caption_is_judged_as_told() -> None:
    """Prompts are expectations with untold sizes; their own scenes fulfil them."""
    rng = np.random.default_rng(3)
    for scene in scenes(40, seed=13):
        told = demo.demo_caption.expectation(rng, scene)
        answer = matches(read(demo_scene.render(scene, 64)), told)
        assert all(value is not False for value in answer.values()), (scene, answer)


def test_what_a_caption_does_not_name_is_not_judged() -> None:
    (word,), (one,) = scenes(1, 0, word=1), scenes(1, 0, one=1)
    answer = matches(read(demo_scene.render(word, 64)), word)
    assert [answer[n] for n in ("colour", "shape", "size", "relation")] == [None] * 4
    assert answer["word"] is True and answer["count"] is True
    answer = matches(read(demo_scene.render(one, 64)), one)
    assert answer["word"] is None and answer["relation"] is None


def blurred(picture: np.ndarray) -> np.ndarray:
    radius = max(0.3, len(picture) / 85)
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def noisy(picture: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(len(picture)).normal(0, 0.05, picture.shape)
    return (picture / 127.5 - 1 + noise).clip(-1, 1).astype(np.float32)


def rejpegged(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=95, subsampling=0)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("size", [16, 64, 256])
@pytest.mark.parametrize("spoil", [blurred, noisy, rejpegged])
def test_slight_damage_is_forgiven(spoil: Callable, size: int) -> None:
    real = scenes(64, seed=14)
    assert exact_share([spoil(demo_scene.render(scene, size)) for scene in real], real) >= 0.97


def test_both_layouts_and_both_number_formats_read_alike() -> None:
    picture = demo_scene.render(scenes(1, 1, two=1)[0], 64)
    floats = picture.astype(np.float32) / 127.5 - 1
    assert read(picture) == read(floats) == read(floats.transpose(2, 0, 1))


def test_positions_and_extents_are_found() -> None:
    for scene in scenes(40, seed=15, one=1, two=1):
        seen = read(demo_scene.render(scene, 64))["objects"]
        for o in scene["objects"]:
            nearest = min(np.hypot(*np.subtract(s["centre"], o["centre"])) for s in seen)
            assert nearest < 0.01
        extents = sorted(o["extent"] for o in scene["objects"])
        assert sorted(s["extent"] for s in seen) == pytest.approx(extents, abs=0.01)


# --- corrupted pictures are read as wrong ---------------------------------------------------------

SIZES = pytest.mark.parametrize("size", [16, 64, 256])


@SIZES
def test_an_erased_object_is_missed(size: int) -> None:
    for scene in scenes(24, 21, two=1, count=1):
        poorer = scene | {"objects": scene["objects"][1:]}
        answer = matches(read(demo_scene.render(poorer, size)), scene)
        assert answer["count"] is False and answer["exact"] is False


@SIZES
def test_a_swapped_colour_is_seen(size: int) -> None:
    names = list(demo_scene.COLOURS)
    for i, scene in enumerate(scenes(24, 22, one=1, two=1, count=1)):
        first, *others = scene["objects"]
        new = names[(names.index(first["colour"]) + 1 + i % 7) % 8]
        picture = demo_scene.render(scene | {"objects": [first | {"colour": new}, *others]}, size)
        answer = matches(read(picture), scene)
        assert answer["colour"] is False and answer["exact"] is False
        assert answer["shape"] is True


@SIZES
def test_a_swapped_shape_is_seen(size: int) -> None:
    names = list(demo_scene.SHAPES)
    wrong = []
    for i, scene in enumerate(scenes(24, 23, one=1, two=1, count=1)):
        first, *others = scene["objects"]
        new = names[(names.index(first["shape"]) + 1 + i % 4) % 5]
        picture = demo_scene.render(scene | {"objects": [first | {"shape": new}, *others]}, size)
        answer = matches(read(picture), scene)
        wrong.append(answer["exact"])
    assert not any(wrong)


@SIZES
def test_colours_exchanged_between_two_objects_are_not_exact(size: int) -> None:
    for scene in scenes(24, 24, two=1):
        a, b = scene["objects"]
        if a["colour"] == b["colour"] or a["shape"] == b["shape"]:
            continue
        swapped = [a | {"colour": b["colour"]}, b | {"colour": a["colour"]}]
        answer = matches(read(demo_scene.render(scene | {"objects": swapped}, size)), scene)
        assert answer["colour"] is True and answer["shape"] is True  # each list is complete
        assert answer["exact"] is False  # but no object is the one that was asked for


@SIZES
def test_a_mirrored_relation_is_seen(size: int) -> None:
    for scene in scenes(24, 25, two=1):
        picture = demo_scene.render(scene, size)
        axis = 0 if scene["relation"] in ("above", "below") else 1
        mirrored = [
            o | {"centre": [1 - c if i == 1 - axis else c for i, c in enumerate(o["centre"])]}
            for o in scene["objects"]
        ]
        answer = matches(read(demo_scene.render(scene | {"objects": mirrored}, size)), scene)
        assert answer["colour"] is True and answer["shape"] is True
        assert answer["relation"] is False and answer["exact"] is False
        assert matches(read(picture), scene)["relation"] is True


@SIZES
@pytest.mark.parametrize("colour", [(120, 70, 30), (214, 34, 40), (34, 36, 46), (150, 150, 150)])
def test_a_blob_too_many_is_seen(size: int, colour: tuple[int, int, int]) -> None:
    """One cell and a half wide, in colours of the world and others, as far out as it can lie."""
    for scene in scenes(30, 26, one=1):
        x, y = scene["objects"][0]["centre"]
        column, row = (1 if c > 0.5 else 13 for c in (x, y))
        picture = demo_scene.render(scene, size)
        cell = size / 16
        top, left = round(row * cell), round(column * cell)
        side = max(2, round(1.5 * cell))
        picture[top : top + side, left : left + side] = colour
        answer = matches(read(picture), scene)
        assert answer["count"] is False and answer["exact"] is False


@SIZES
def test_a_word_with_one_wrong_letter_is_another_word(size: int) -> None:
    for scene in scenes(30, 27, word=1):
        text = scene["word"]["text"]
        other = text[:1] + ("o" if text[1] != "o" else "a") + text[2:]
        picture = demo_scene.render(scene | {"word": scene["word"] | {"text": other}}, size)
        answer = matches(read(picture), scene)
        assert answer["word"] is False and answer["exact"] is False


@SIZES
def test_an_object_beside_a_word_is_seen(size: int) -> None:
    for scene in scenes(20, 28, word=1):
        row = 3 if scene["word"]["corner"][1] > 6 else 13
        place = {"centre": [0.5, row / 16], "extent": 4.4 / 16}
        extra = {"colour": "red", "shape": "circle", "size": "small"} | place
        reading = read(demo_scene.render(scene | {"objects": [extra]}, size))
        assert reading["word"] == scene["word"]["text"]
        answer = matches(reading, scene)
        assert answer["word"] is True and answer["exact"] is False


@pytest.mark.parametrize("size", [16, 64])
@pytest.mark.parametrize("level", [0, 120, 235])
def test_an_empty_picture_shows_nothing(size: int, level: int) -> None:
    reading = read(np.full((size, size, 3), level, np.uint8))
    assert reading["objects"] == [] and reading["word"] is None
    assert reading["ground"] is (level == 235)
    assert not matches(reading, scenes(1, 0, one=1)[0])["exact"]


def test_noise_alone_fulfils_no_caption() -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.uniform(-1, 1, (16, 16, 3)) for _ in range(40)]
    assert exact_share(pictures, scenes(40, seed=29)) == 0


@pytest.mark.parametrize("shape", [(8, 8, 3), (32, 16, 3), (16, 16), (16, 16, 4)])
def test_what_is_no_square_colour_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="give one square colour picture"):
        read(np.zeros(shape, np.uint8))


def test_undefined_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="infinite or undefined"):
        read(np.full((16, 16, 3), np.nan, np.float32))
