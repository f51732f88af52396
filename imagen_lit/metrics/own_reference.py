"""Images that are their own reference: every distance is then that of a set to itself."""

import warnings
from typing import Any

from imagen_lit.metrics.sample import Sample


def warn_if_same(stage: str, sample: Sample, reference: Any) -> None:
    """Say so where all that identifies the two is the same."""
    if not isinstance(reference, Sample):
        return  # published statistics: their images are not there
    if sample.reference_facts() == reference.reference_facts():
        warnings.warn(
            f"the images of {stage or 'this set'} are their own reference, so that their scores "
            "say nothing about them. Choose another reference",
            stacklevel=3,
        )
