"""How many times a network enlarges images before it looks at them: of tiny ones it sees hardly
more than the enlarging."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample

MUCH = 16  # times: 16x16 for a network of 224x224 is 14 times, which still tells systems apart


def size_of(extractor: Mapping[str, Any]) -> int | None:
    """The edge of what an extractor with these facts looks at; None if it takes any size."""
    resizing = extractor.get("resize")
    size = resizing.get("size") if isinstance(resizing, Mapping) else extractor.get("size")
    return size if isinstance(size, int) else None


def warn_if_large(stage: str, metric: Metric, sample: Sample) -> None:
    """Warn if these images are enlarged that much for the metric."""
    size = size_of(metric.facts().get("extractor", {}))
    edges = re.findall(r"[0-9]+", str(sample.facts().get("size", "")))
    if size is not None and edges and size > MUCH * min(map(int, edges)):
        small = sample.facts()["size"]
        warnings.warn(
            f"{metric.name} looks at {stage or 'images'} through a network that enlarges {small} "
            f"to {size}x{size}: it sees hardly more than the enlarging. Measure larger images, or "
            "trust it little",
            stacklevel=2,
        )
