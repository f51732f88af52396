"""CLIP score: how well an image shows its prompt, by the cosine between their CLIP vectors.

Three numbers go by the name, and differ by prefix, scale and clamp: the plain cosine, on the axis
of Imagen's figures; 2.5 max(cos, 0) with "A photo depicts " before each prompt (Hessel et al. 2021,
§ 3), as its authors compute it; and torchmetrics' 100 cos. Each has its YAML.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import TextExtractor
from imagen_lit.metrics.cosine import unit
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.sample import ALL, Report, Sample, silent


def cosines(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """The cosine of each image with the text of the same row."""
    return (unit(images) * unit(texts)).sum(axis=1)


@dataclass(frozen=True)
class CLIPScore:
    """scale · max(cosine, lowest); larger is better."""

    against = "nothing"
    extractor: TextExtractor
    name: str = "clip_score"
    scale: float = 1.0
    lowest: float = -1.0
    prefix: str = ""

    def __post_init__(self) -> None:
        arguments.positive_number("scale", self.scale)
        arguments.number("lowest", self.lowest, -1, 1)

    @property
    def numbers(self) -> tuple[str, ...]:
        """One, called like the metric."""
        return (self.name,)

    def facts(self) -> dict[str, Any]:
        """With the three that make the forms."""
        form = {"scale": self.scale, "lowest": self.lowest, "prefix": self.prefix}
        return {"name": self.name, **form, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None = None) -> None:
        """Raise if these images could get no score."""
        sample.require_texts()

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images and of their prompts."""
        texts = sample.extract_texts(self.extractor, self.prefix, share)
        return sample.extract(self.extractor, share, report) and texts

    def scores(self, sample: Sample, reference: Sample | None = None) -> list[Score]:
        """One; with categories, also one for each."""
        images = np.asarray(sample.features(self.extractor))
        texts = np.asarray(sample.text_features(self.extractor, self.prefix))
        values = self.scale * cosines(images, texts[sample.groups]).clip(min=self.lowest)
        return mean_scores(self, self.name, values, sample)
