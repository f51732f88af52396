"""What the shapes world holds out of training: combinations of a kind and a place, and words.

Each object of a scene is in a *place*: alone, above, below, left, right (of the other one of a
pair) or many (one of a group). In each place four of the forty kinds (colour and shape) are held
out: no training scene contains them there, however it is worded, while each of these kinds occurs
in every other place. Eight words are held out too; each of their letters occurs in the same
position of some training word.
"""

from imagen_lit.shapes import scene

PLACES = ("alone", "above", "below", "left", "right", "many")
KINDS = [(colour, shape) for colour in scene.COLOURS for shape in scene.SHAPES]
WORDS = "cat bed hut sun pig map bus hat pen cup mud bag net dog fox top".split()
HELD_OUT_WORDS = "bat cap hen mug pan cot bun den".split()


def held_out_kinds(place: str) -> list[tuple[str, str]]:
    """The four kinds that never occur in this place: colour 2 j + p mod 8, shape j - p mod 5."""
    p, colours, shapes = PLACES.index(place), list(scene.COLOURS), list(scene.SHAPES)
    return [(colours[(2 * j + p) % 8], shapes[(j - p) % 5]) for j in range(4)]


HELD_OUT = {place: held_out_kinds(place) for place in PLACES}
TRAINING = {place: [kind for kind in KINDS if kind not in HELD_OUT[place]] for place in PLACES}


def triples(expectation: dict) -> list[tuple[str, str, str]]:
    """(colour, shape, place) of every object of a scene, or of an expectation."""
    objects, relation = expectation["objects"], expectation["relation"]
    if relation is not None:
        places = [relation, scene.CONVERSE[relation]]
    else:
        places = ["alone" if len(objects) == 1 else "many"] * len(objects)
    return [(o["colour"], o["shape"], place) for o, place in zip(objects, places, strict=True)]


def is_held_out(expectation: dict) -> bool:
    """Whether a scene or an expectation shows something that training never does."""
    return expectation["word"] in HELD_OUT_WORDS or any(
        (colour, shape) in HELD_OUT[place] for colour, shape, place in triples(expectation)
    )
