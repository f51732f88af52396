"""Images and reference in files of two forms: a distance then also measures what the form did to
the images, such as JPEG's loss, or a reduction to another size (Parmar et al. 2022).
"""

import warnings
from typing import Any

from imagen_lit.metrics.sample import FORM, Sample


def warn_if_other(stage: str, sample: Sample, reference: Any) -> None:
    """Say in what the files differ, once for each set of images."""
    if not isinstance(reference, Sample):
        return  # published statistics: their images are not there
    own, other = sample.facts(), reference.facts()
    different = [key for key in FORM if key in own and key in other and own[key] != other[key]]
    if not different:
        return
    words = " and ".join(f"{key} {own[key]} against {other[key]}" for key in different)
    warnings.warn(
        f"the images of {stage or 'this set'} and their reference are files of two forms "
        f"({words}): a distance between them measures that too. Save both alike where you can",
        stacklevel=3,
    )
