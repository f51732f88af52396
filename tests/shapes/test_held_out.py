"""What is held out never occurs in training, all else does, and it is spread evenly."""

from caption_parser import COLOURS, FORBIDDEN, PLACES, SHAPES, parse, triples

from imagen_lit.shapes.held_out import HELD_OUT_WORDS, WORDS


def test_what_is_held_out_never_occurs_in_training_scenes(examples: list) -> None:
    for scene, _ in examples:
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


def test_training_captions_have_everything_but_what_is_held_out(examples: list) -> None:
    captions = [parse(caption) for _, caption in examples]
    everything = {(c, s, p) for c in COLOURS for s in SHAPES for p in PLACES}
    assert set().union(*map(triples, captions)) == everything - FORBIDDEN
    words = {content["word"] for content in captions} - {None}
    assert not words & set(HELD_OUT_WORDS)


def test_held_out_kinds_are_spread_evenly() -> None:
    assert len({(colour, shape) for colour, shape, _ in FORBIDDEN}) == 24  # never twice the same
    for place in PLACES:
        assert sum(p == place for _, _, p in FORBIDDEN) == 4
    for colour in COLOURS:
        assert sum(c == colour for c, _, _ in FORBIDDEN) == 3
    assert {sum(s == shape for _, s, _ in FORBIDDEN) for shape in SHAPES} <= {4, 5}


def test_held_out_words_have_each_letter_where_a_training_word_has_it() -> None:
    assert not set(WORDS) & set(HELD_OUT_WORDS)
    for word in HELD_OUT_WORDS:
        for slot, letter in enumerate(word):
            assert any(other[slot] == letter for other in WORDS), (word, letter)
