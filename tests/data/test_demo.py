"""Laws of the demo world. Captions are parsed anew, by a parser that shares no code with it."""

import io
import json
import re
from itertools import combinations, islice

import numpy as np
import pytest
from PIL import Image

from imagen_lit import door
from imagen_lit.data import demo, demo_scene
from imagen_lit.text.scene_grammar import documents

COLOURS = "red orange yellow green cyan blue purple pink".split()
SHAPES = "circle square triangle diamond cross".split()
OTHER = {"above": "below", "below": "above", "left": "right", "right": "left"}
PLACES = ["alone", "above", "below", "left", "right", "many"]
OBJECT = rf"(?:(small|large) )?({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"


def parse(caption: str) -> dict:
    """What a caption says: objects as (size, colour, shape), relation, word."""
    text = re.sub("^(there is|there are|a picture of|this shows) ", "", caption)
    if word := re.fullmatch(r'the word "([a-z]{3})"', text):
        return {"objects": [], "relation": None, "word": word[1]}
    if many := re.fullmatch(rf"(two|three|four) {OBJECT}e?s", text):
        count = {"two": 2, "three": 3, "four": 4}[many[1]]
        return {"objects": [many.groups()[1:]] * count, "relation": None, "word": None}
    if one := re.fullmatch(rf"(?:an?|one|a single) {OBJECT}", text):
        return {"objects": [one.groups()], "relation": None, "word": None}
    between = "(above|over|below|under|(?:to the )?(?:left|right) of)"
    two = re.fullmatch(rf"an? {OBJECT} {between} an? {OBJECT}", text)
    assert two, f"not in the grammar: {caption}"
    parts = two.groups()
    names = {"over": "above", "under": "below"}
    relation = names.get(parts[3], parts[3]).removeprefix("to the ").removesuffix(" of")
    return {"objects": [parts[:3], parts[4:]], "relation": relation, "word": None}


def triples(told: dict) -> set[tuple[str, str, str]]:
    """(colour, shape, place) of each object that a parsed caption names."""
    kinds = [(colour, shape) for _, colour, shape in told["objects"]]
    if told["relation"]:
        places = [told["relation"], OTHER[told["relation"]]]
    else:
        places = ["alone" if len(kinds) == 1 else "many"] * len(kinds)
    return {(*kind, place) for kind, place in zip(kinds, places, strict=True)}


# The rule, written a second time: 24 triples, four at each place.
FORBIDDEN = {
    (COLOURS[(2 * j + p) % 8], SHAPES[(j - p) % 5], place)
    for p, place in enumerate(PLACES)
    for j in range(4)
}


@pytest.fixture(scope="module")
def tales() -> list[tuple[dict, str]]:
    """Many scenes with their captions, undrawn."""
    source = demo.Demo(6000, size=16, seed=3)
    return [source.tell(number) for number in range(len(source))]


def test_the_text_encoder_never_read_what_is_held_out() -> None:
    reading = door.compose("pretrain_text", [])
    captions = [caption for caption, _ in islice(documents(reading.seed), reading.documents)]
    told = [parse(caption) for caption in captions]
    assert not FORBIDDEN & {triple for each in told for triple in triples(each)}
    assert not set(demo.HELD_OUT_WORDS) & {each["word"] for each in told}
    prompts = {each["prompt"] for each in demo.held_out_prompts(256, 0)}
    assert not prompts & set(captions)


def test_a_scene_depends_on_its_seed_and_number_alone() -> None:
    source, longer = demo.Demo(8, 32, seed=1), demo.Demo(99, 32, seed=1)
    forwards = [source[number] for number in range(8)]
    backwards = [longer[number] for number in reversed(range(8))]
    assert forwards == backwards[::-1]
    assert [s["caption"] for s in forwards] != [demo.Demo(8, 32, 2)[n]["caption"] for n in range(8)]


def test_a_scene_is_the_same_at_every_resolution() -> None:
    small, large = demo.Demo(5, 16, seed=1), demo.Demo(5, 256, seed=1)
    for number in range(5):
        assert small[number]["known"] == large[number]["known"]
        assert small[number]["caption"] == large[number]["caption"]


def test_the_truth_can_be_written_as_json(tales: list) -> None:
    for scene, _ in tales[:50]:
        assert json.loads(json.dumps(scene)) == scene


def test_a_picture_is_the_box_average_of_the_larger_picture(tales: list) -> None:
    for scene, _ in tales[:60]:
        large = demo_scene.render(scene, 256).astype(float)
        for size in (16, 64):
            block = 256 // size
            average = large.reshape(size, block, size, block, 3).mean((1, 3))
            # Both pictures were rounded to whole levels.
            assert np.abs(average - demo_scene.render(scene, size)).max() <= 1.5


def test_objects_keep_apart_and_within_the_frame(tales: list) -> None:
    size, gap = 128, 8  # one cell
    for scene, _ in tales[:300]:
        covered = []
        for o in scene["objects"]:
            rows, columns, share = demo_scene.coverage(o["shape"], o["centre"], o["extent"], size)
            canvas = np.zeros((size, size))
            canvas[rows, columns] = share
            covered.append(np.argwhere(canvas > 0))
            assert covered[-1].min() >= 1 and covered[-1].max() <= size - 2, scene
        for a, b in combinations(covered, 2):
            apart = np.abs(a[::3, None] - b[None, ::3]).max(2).min()
            assert apart >= gap, scene


def test_captions_are_true(tales: list) -> None:
    for scene, caption in tales:
        told, objects = parse(caption), scene["objects"]
        assert told["word"] == (scene["word"] and scene["word"]["text"])
        assert len(told["objects"]) == len(objects)
        kinds = [(o["colour"], o["shape"]) for o in objects]
        order = list(range(len(objects)))
        if [t[1:] for t in told["objects"]] != kinds:
            order.reverse()  # the converse telling
        for (size, colour, shape), i in zip(told["objects"], order, strict=True):
            assert (colour, shape) == kinds[i]
            cells = 16 * objects[i]["extent"]
            assert size is None or (cells < 5 if size == "small" else cells > 5.6)
        if told["relation"]:
            (ax, ay), (bx, by) = (objects[i]["centre"] for i in order)
            distance = {"above": by - ay, "below": ay - by, "left": bx - ax, "right": ax - bx}
            vertical = told["relation"] in ("above", "below")
            assert distance[told["relation"]] > 3 * abs(ax - bx if vertical else ay - by)


def test_sizes_are_told_about_half_of_the_time_and_relations_both_ways(tales: list) -> None:
    ones = [parse(caption) for scene, caption in tales if scene["category"] == "one"]
    assert 0.45 < np.mean([told["objects"][0][0] is not None for told in ones]) < 0.55
    twos = [(scene, parse(c)) for scene, c in tales if scene["category"] == "two"]
    straight = [told["relation"] == scene["relation"] for scene, told in twos]
    assert 0.45 < np.mean(straight) < 0.55


def test_what_is_held_out_never_occurs_in_training_truth(tales: list) -> None:
    for scene, _ in tales:
        objects = scene["objects"]
        if scene["category"] == "two":  # places measured from the centres
            (ax, ay), (bx, by) = (o["centre"] for o in objects)
            if abs(ay - by) > abs(ax - bx):
                places = ["above", "below"] if ay < by else ["below", "above"]
            else:
                places = ["left", "right"] if ax < bx else ["right", "left"]
        else:
            places = ["alone" if len(objects) == 1 else "many"] * len(objects)
        for o, place in zip(objects, places, strict=True):
            assert (o["colour"], o["shape"], place) not in FORBIDDEN


def test_what_is_held_out_never_occurs_in_training_captions_and_all_else_does(tales: list) -> None:
    seen = set().union(*(triples(parse(caption)) for _, caption in tales))
    everything = {(c, s, p) for c in COLOURS for s in SHAPES for p in PLACES}
    assert seen == everything - FORBIDDEN
    words = {parse(caption)["word"] for _, caption in tales} - {None}
    assert not words & set(demo.HELD_OUT_WORDS)


def test_held_out_kinds_are_spread_evenly() -> None:
    assert len({(colour, shape) for colour, shape, _ in FORBIDDEN}) == 24  # never twice the same
    for place in PLACES:
        assert sum(p == place for _, _, p in FORBIDDEN) == 4
    for colour in COLOURS:
        assert sum(c == colour for c, _, _ in FORBIDDEN) == 3
    assert {sum(s == shape for _, s, _ in FORBIDDEN) for shape in SHAPES} <= {4, 5}


def test_held_out_words_are_new_words_of_known_letters() -> None:
    assert not set(demo.WORDS) & set(demo.HELD_OUT_WORDS)
    for word in demo.HELD_OUT_WORDS:
        for slot, letter in enumerate(word):
            assert any(known[slot] == letter for known in demo.WORDS), (word, letter)


def test_held_out_prompts_each_hold_something_unseen() -> None:
    prompts = demo.held_out_prompts(320, seed=0)
    assert len({p["prompt"] for p in prompts}) == 320
    for p in prompts:
        told = parse(p["prompt"])
        assert told["word"] in demo.HELD_OUT_WORDS if told["word"] else triples(told) & FORBIDDEN
    counts = {c: sum(p["category"] == c for p in prompts) for c in demo.PROMPT_MIX}
    assert counts == {"one": 96, "two": 128, "count": 64, "word": 32}


def test_training_prompts_hold_nothing_unseen() -> None:
    for p in demo.training_prompts(200, seed=0):
        told = parse(p["prompt"])
        assert not triples(told) & FORBIDDEN
        assert told["word"] not in demo.HELD_OUT_WORDS


@pytest.mark.parametrize("draw", [demo.held_out_prompts, demo.training_prompts])
def test_a_prompt_says_what_is_expected(draw: object) -> None:
    for p in draw(120, seed=5):
        told, expected = parse(p["prompt"]), p["expectation"]
        objects = [(o["size"], o["colour"], o["shape"]) for o in expected["objects"]]
        assert told["objects"] == objects
        assert (told["relation"], told["word"]) == (expected["relation"], expected["word"])


def test_the_beginning_of_the_prompts_is_balanced_too() -> None:
    few = demo.held_out_prompts(20, seed=9)
    counts = {c: sum(p["category"] == c for p in few) for c in demo.PROMPT_MIX}
    assert counts == {"one": 6, "two": 8, "count": 4, "word": 2}


def test_words_are_crisp_in_the_smallest_picture(tales: list) -> None:
    words = [scene for scene, _ in tales if scene["category"] == "word"]
    for scene in words[:40]:
        picture = demo_scene.render(scene, 16)
        ink = (picture == demo_scene.INK).all(2)
        assert ink.any() and (picture[~ink].min(1) > 200).all()


def test_every_letter_looks_different() -> None:
    for (a, first), (b, second) in combinations(demo_scene.FONT.items(), 2):
        assert (first != second).any(), (a, b)
    assert set("".join(demo.WORDS + demo.HELD_OUT_WORDS)) <= set(demo_scene.FONT)


def test_the_image_is_a_jpeg_of_the_scene() -> None:
    for sample in (demo.Demo(6, 64, seed=4)[number] for number in range(6)):
        picture = Image.open(io.BytesIO(sample["image"]))
        assert (picture.format, picture.size, sample["extension"]) == ("JPEG", (64, 64), "jpg")
        wrong = np.abs(np.asarray(picture, float) - demo_scene.render(sample["known"], 64))
        assert wrong.mean() < 2


def test_the_mix_decides_the_categories() -> None:
    source = demo.Demo(400, 16, seed=0, mix={"one": 3, "word": 1})
    words = [source.tell(n)[0]["category"] for n in range(400)].count("word")
    assert 70 < words < 130
    with pytest.raises(ValueError, match="expected one of one, two, count, word"):
        demo.Demo(1, 16, seed=0, mix={"three": 1})[0]


def test_a_number_beyond_the_world_is_refused() -> None:
    source = demo.Demo(3, 16, seed=0)
    assert len(list(source)) == 3
    with pytest.raises(IndexError, match="expected 0 to 2"):
        source[3]


def test_asking_for_more_prompts_than_there_are_says_so() -> None:
    with pytest.raises(ValueError, match="ask for fewer than 5000"):
        demo.held_out_prompts(5000, seed=0)
