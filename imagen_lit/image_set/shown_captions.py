"""Whether images show what their captions of the shapes world say, by its exact reader: images of
any origin, as long as the captions are of that world's grammar."""

from collections.abc import Mapping
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.shapes import reader
from imagen_lit.shapes.caption_meaning import meaning


def expectations(images: ImageSet) -> list[Mapping[str, Any]]:
    """What each image has to show; refused where a caption is of another world."""
    if images.prompts is None:
        raise InputError(
            "these images have no prompts, so nothing says what they ought to show. Give their "
            "prompts, or leave exact out of metrics."
        )
    known = {text: meaning(text) for text in dict.fromkeys(images.prompts)}
    if others := [text for text, content in known.items() if content is None]:
        raise InputError(
            f"the exact reader knows captions of the shapes world alone, such as 'a red circle "
            f"above a blue square', and {len(others):,} of {len(known):,} are others, the first "
            f"{others[0]!r}. Leave exact out of metrics."
        )
    return [known[text] or {} for text in images.prompts]


def are_shown(images: ImageSet) -> list[bool]:
    """For each image, whether it shows all of its caption and nothing else."""
    return [
        bool(reader.matches(reader.read(images.image(number)), expectation)["exact"])  # type: ignore[arg-type]
        for number, expectation in enumerate(expectations(images))
    ]
