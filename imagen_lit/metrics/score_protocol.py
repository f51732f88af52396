"""Which facts stand behind a score's hash.

A score answers "how good are this system's images?", so that all which could move the number
*but the system* belongs to its protocol:

- `score`: the number's name. Precision and recall come from one metric and are no two values of
  one thing.
- `metric`: the constants of the formula, the seeds of subsets and distractors, the prefix; and the
  extractor with its weights' hash, layer, resizing and antialiasing.
- `sample`: how many images (FD, CMMD and recall change with it), the prompts with their
  multiplicity, in any order, and the files' form: format (JPEG moves FID), size, resizing.
- `reference`: all facts of the reference set, above all the digest of its content. Where images are
  compared with what they were made from, the system's own, only the form of that.
- `category`: which part of the prompts, where it is not all.

Left out: which system, checkpoint, guidance or sampler drew the images, and with which seeds: those
are what is compared, and the provenance holds them. Also left out: how the interval was made, which
is the score's `method`, and how many processes or devices computed it.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from imagen_lit.basics.errors import InputError
from imagen_lit.evaluation.protocol import digest
from imagen_lit.metrics.metric import Metric
from imagen_lit.metrics.sample import Sample


class Reference(Protocol):
    """What is measured against: a set of images, or what was published of one."""

    def reference_facts(self) -> dict[str, Any]:
        """What a number's meaning depends on."""


AnyReference = TypeVar("AnyReference", bound=Reference)


def protocol(
    metric: Metric, score: str, sample: Sample, reference: Reference | None, category: str = "all"
) -> dict[str, Any]:
    """The facts of a score of `metric`, named `score`."""
    facts = {"score": score, "metric": dict(metric.facts()), "sample": sample.facts()}
    if reference is not None:
        facts["reference"] = reference.reference_facts()
    if category != "all":
        facts["category"] = category
    return facts


def of_judge(prompts: Sequence[str], size: int) -> str:
    """The hash of what the prompts' own judge says of images of this edge."""
    return digest({"score": "exact", "prompts": sorted(prompts), "size": size})


def require_images(metric: str, reference: Reference | None) -> Sample:
    """The images of the reference; raise if there are none, but published statistics."""
    real = require_reference(metric, reference)
    if not isinstance(real, Sample):
        raise InputError(
            f"{metric} compares with the images of a reference one by one, and statistics are only "
            "their mean and covariance. Set image_set@reference=folder reference.path=..., for "
            "example, or measure fd, which needs no more."
        )
    return real


def require_reference(metric: str, reference: AnyReference | None) -> AnyReference:
    """The reference; raise if a metric that needs one has none."""
    if reference is None:
        raise InputError(
            f"{metric} compares with a reference, and there is none. Give a reference set of "
            f"images, image_set@reference=folder reference.path=... for example, or leave {metric} "
            "out."
        )
    return reference
