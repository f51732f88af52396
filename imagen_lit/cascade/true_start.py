"""The true image from which a picture was enlarged (`image_set@start`), made small again: its file
says which image of which set that was, and the digest of the small one."""

from collections.abc import Mapping
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import foreign_part
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.start import START, START_OF, Request, Start
from imagen_lit.image_set.captioned_images import CaptionedImages

IMAGE_SET = ("imagen_lit.image_set.", "imagen_lit.data.filter.Filter")


def of(facts: Mapping[str, Any], request: Request, cascade: Cascade, file: str) -> Start:
    """Where the cascade starts; refused if the image is gone, or is another one now."""
    origin = facts.get(START_OF)
    if origin is None:
        raise InputError(
            f"{file} was enlarged from an image that its file does not name, as an earlier version "
            "left it. Draw it again by the command that drew it."
        )
    first = next(iter(cascade.stages.values()))
    if first.size_in is None:
        raise InputError(
            f"{file} is damaged: its first stage enlarges nothing. Set from=... to another picture."
        )
    images = foreign_part.build(origin["image_set"], IMAGE_SET, "a set of images", file)
    number, count = origin["number"], len(images)
    if type(number) is not int or not 0 <= number < count:
        raise InputError(
            f"{file} was enlarged from image {number}, and the set has {count} now. Restore the "
            "images as they were."
        )
    true = CaptionedImages(images).true_image(number, first.size)[None]
    kernel = getattr(first.condition, "kernel", "box")
    start = Start.of([request], true, first.size // first.size_in, kernel)
    if start.digest(request) != facts[START]:
        raise InputError(
            f"{file} was enlarged from image {number} of {origin['image_set'].get('_target_')}, "
            f"which is another one now: its small image has the digest {start.digest(request)}, "
            f"and had {facts[START]}. Restore the images as they were."
        )
    return start
