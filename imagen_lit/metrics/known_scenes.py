"""A fixed reference of the shapes world, and what is known of it: its captions are true, and the
distances between its scenes and those of training are what other implementations gave (`SCENES`).
"""

from collections.abc import Iterator

import numpy as np

from imagen_lit.image_set import shown_captions
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.image_set.shapes import HeldOutScenes, TrainingScenes
from imagen_lit.metrics import frechet
from imagen_lit.metrics.kid import kid

COUNT, SIZE = 64, 64  # of scenes; pixels
# Of `quarters`, by scipy.linalg.sqrtm and by torchmetrics 1.9's polynomial kernel over one subset
# of all scenes: tests/metrics/test_known_values.py does it again.
SCENES = {"FD": 0.01100705135, "KID": -0.001141936909}


def known_scenes() -> Iterator[tuple[str, float, float]]:
    """Each value's name, what it has to be, and what it is here."""
    held_out, training = HeldOutScenes(COUNT, SIZE), TrainingScenes(COUNT, SIZE)
    right = shown_captions.are_shown(held_out)
    yield "captions that true scenes show", 1.0, float(np.mean(right))
    first, second = quarters(held_out), quarters(training)
    distance = frechet.distance(frechet.fit(first), frechet.fit(second))
    yield "FD of held-out scenes and those of training", SCENES["FD"], distance.value
    value = kid(first, second, 1, COUNT, 0).value
    yield "KID of held-out scenes and those of training", SCENES["KID"], value


def quarters(images: ImageSet) -> np.ndarray:
    """Of each image the mean colour of its four quarters, [N, 12], in [0, 1]."""
    pixels = np.stack([images.image(number) for number in range(len(images))]) / 255
    half = pixels.shape[1] // 2
    parts = pixels.reshape(len(pixels), 2, half, 2, half, 3)
    return parts.mean(axis=(2, 4)).reshape(len(pixels), -1)
