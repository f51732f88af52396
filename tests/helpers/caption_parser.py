"""A second parser of the shapes world's captions, and its hold-out rule written a second time: both
share no code with imagen_lit."""

import re

COLOURS = "red orange yellow green cyan blue purple pink".split()
SHAPES = "circle square triangle diamond cross".split()
CONVERSE = {"above": "below", "below": "above", "left": "right", "right": "left"}
PLACES = ["alone", "above", "below", "left", "right", "many"]
OBJECT = rf"(?:(small|large) )?({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"

# 24 triples, four at each place.
FORBIDDEN = {
    (COLOURS[(2 * j + p) % 8], SHAPES[(j - p) % 5], place)
    for p, place in enumerate(PLACES)
    for j in range(4)
}


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


def triples(content: dict) -> set[tuple[str, str, str]]:
    """(colour, shape, place) of each object that a parsed caption names."""
    kinds = [(colour, shape) for _, colour, shape in content["objects"]]
    if content["relation"]:
        places = [content["relation"], CONVERSE[content["relation"]]]
    else:
        places = ["alone" if len(kinds) == 1 else "many"] * len(kinds)
    return {(*kind, place) for kind, place in zip(kinds, places, strict=True)}
