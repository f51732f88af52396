"""Feature vectors of length 1, whose products are cosines."""

import numpy as np

from imagen_lit.basics.errors import InputError


def unit(vectors: np.ndarray) -> np.ndarray:
    """Each row divided by its length, in float64."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not lengths.all():
        raise InputError(
            f"feature vector {int(np.argmin(lengths))} (counted from 0) is all zeros: it has no "
            "direction, and no cosine. Check the extractor's weights."
        )
    return vectors / lengths
