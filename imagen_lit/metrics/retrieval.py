"""R-precision: how often an image is nearer to its own prompt than to each of 99 others (Xu et al.
2018, § 4; with CLIP vectors, Park et al. 2021).

The others are drawn, for each prompt, from the different prompts of the same set: their nearness to
each other makes it hard or easy, so that numbers of different prompts say nothing about each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.features.extractor import TextExtractor
from imagen_lit.metrics.cosine import unit
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.sample import ALL, Report, Sample, silent


def distractors(texts: list[str], count: int, seed: int) -> np.ndarray:
    """For each text the numbers of `count` others: [texts, count]. They depend on seed and texts
    alone, not on the texts' order."""
    order = np.array(sorted(range(len(texts)), key=texts.__getitem__))
    numbers = np.empty((len(texts), count), int)
    for place, number in enumerate(order):
        others = np.random.default_rng([seed, place]).choice(len(texts) - 1, count, replace=False)
        numbers[number] = order[others + (others >= place)]
    return numbers


def is_first(
    images: np.ndarray, texts: np.ndarray, own: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Whether image i is nearer to text own[i] than to each of others[own[i]]; a tie is a miss."""
    images, texts = unit(images), unit(texts)
    rival = [(texts[others[text]] @ image).max() for image, text in zip(images, own, strict=True)]
    return (images * texts[own]).sum(axis=1) > np.array(rival)


@dataclass(frozen=True)
class RPrecision:
    """Larger is better; 1/(distractors + 1) by chance."""

    name = "r_precision"
    numbers = ("r_precision",)
    against = "nothing"
    extractor: TextExtractor
    distractors: int = 99
    seed: int = 0
    prefix: str = ""

    def __post_init__(self) -> None:
        arguments.whole_numbers(vars(self), distractors=1, seed=0)

    def facts(self) -> dict[str, Any]:
        """With the number and the seed of the distractors."""
        draw = {"distractors": self.distractors, "seed": self.seed, "prefix": self.prefix}
        return {"name": self.name, **draw, "extractor": dict(self.extractor.facts())}

    def check(self, sample: Sample, reference: Sample | None = None) -> None:
        """Raise if these images could get no score."""
        prompts = sample.require_texts()
        if len(prompts) <= self.distractors:
            raise InputError(
                f"{len(prompts)} different prompts have no {self.distractors} others each. Give "
                f"{self.distractors + 1} or more, or set "
                f"metrics.{self.name}.distractors={max(1, len(prompts) - 1)} or lower."
            )

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Features of the images and of their prompts."""
        texts = sample.extract_texts(self.extractor, self.prefix, share)
        return sample.extract(self.extractor, share, report) and texts

    def scores(self, sample: Sample, reference: Sample | None = None) -> list[Score]:
        """One; with categories, also one for each, against distractors of all."""
        prompts = sample.require_texts()
        images = np.asarray(sample.features(self.extractor))
        texts = np.asarray(sample.text_features(self.extractor, self.prefix))
        others = distractors(prompts, self.distractors, self.seed)
        values = is_first(images, texts, sample.groups, others).astype(np.float64)
        return mean_scores(self, self.name, values, sample)
