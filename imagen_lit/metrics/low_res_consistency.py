"""Low-resolution consistency: a super-resolved image, reduced again, should be its input (Saharia
et al. 2021, SR3).

The reduction is the area mean, whatever kernel a stage learned with (stage/condition.py). PSNR in
dB, of each image; one that agrees with its input to the grey level has that of rounding alone, 58.9
dB.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.score import Score
from imagen_lit.metrics.mean_scores import mean_scores
from imagen_lit.metrics.sample import ALL, Report, Sample, silent
from imagen_lit.metrics.score_protocol import require_reference

ROUNDING = 1 / 12  # the variance of rounding to a grey level


def area_mean(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """[H, W, 3] reduced by whole factors to [height, width, 3], not rounded."""
    tall, wide, _ = image.shape
    if tall % height or wide % width:
        raise InputError(
            f"an image of {wide} x {tall} pixels is no whole multiple of its input of "
            f"{width} x {height}. Give the images that were enlarged, at their own size."
        )
    blocks = image.reshape(height, tall // height, width, wide // width, 3)
    return blocks.mean(axis=(1, 3), dtype=np.float64)


def psnr(image: np.ndarray, lowres: np.ndarray) -> float:
    """10 log₁₀ 255²/MSE between the reduced image and its input."""
    error = ((area_mean(image, *lowres.shape[:2]) - lowres) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, ROUNDING)))


@dataclass(frozen=True)
class Inputs:
    """What the images were made from. It is the system's own work: only its form decides what a
    number means, as with the images themselves."""

    sample: Sample

    def reference_facts(self) -> dict[str, Any]:
        """Its form."""
        return self.sample.facts()


def require_pairs(metric: str, sample: Sample, inputs: Sample | None) -> Sample:
    """The inputs, one for each image; raise if they are not."""
    pairs = require_reference(metric, inputs)
    if len(pairs) != len(sample):
        raise InputError(
            f"{metric} compares each image with its input, and {len(sample)} images have "
            f"{len(pairs)}. Give the low-resolution images of the same prompts and seeds."
        )
    return pairs


@dataclass(frozen=True)
class LowResConsistency:
    """Larger is better. The reference is the input of each image, in the same order."""

    name = "low_res_consistency"
    numbers = ("low_res_consistency",)
    against = "input"

    def facts(self) -> dict[str, Any]:
        """Nothing can be set."""
        return {"name": self.name, "reduction": "area mean", "unit": "dB"}

    def check(self, sample: Sample, reference: Sample | None) -> None:
        """Raise if these images could get no score."""
        require_pairs(self.name, sample, reference)

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Nothing: it looks at the pixels themselves."""
        return True

    def scores(self, sample: Sample, reference: Sample | None) -> list[Score]:
        """One; with categories, also one for each."""
        inputs = require_pairs(self.name, sample, reference)
        pairs = ((sample.images.image(n), inputs.images.image(n)) for n in range(len(sample)))
        values = np.array([psnr(image, lowres) for image, lowres in pairs])
        return mean_scores(self, self.name, values, sample, Inputs(inputs))
