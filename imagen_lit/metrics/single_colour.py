"""Images each of a single colour: what an untrained model, a wrong folder or a lost channel leaves,
and no score says so."""

import warnings

from imagen_lit.image_set.image_set import ImageSet


def are_all(images: ImageSet) -> bool:
    """Whether every image has one colour; the first that has more ends the search."""
    pictures = (images.image(number) for number in range(len(images)))
    return all(bool((each == each[:1, :1]).all()) for each in pictures)


def warn(stage: str, images: ImageSet) -> None:
    """Say so, where it is so."""
    if are_all(images):
        of = f" of {stage}" if stage not in ("", "images") else ""
        warnings.warn(
            f"each of the {len(images)} images{of} is of a single colour: their scores say "
            "nothing. Look at them first",
            stacklevel=2,
        )
