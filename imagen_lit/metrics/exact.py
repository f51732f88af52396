"""The share of images that show their whole caption, by the exact reader of the shapes world."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import imagen_lit
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.confidence_interval import share_interval
from imagen_lit.evaluation.score import Score
from imagen_lit.image_set import shown_captions
from imagen_lit.metrics.sample import ALL, Report, Sample, silent


@dataclass(frozen=True)
class Exact:
    """Larger is better. Of images that a cascade drew from `data/prompts=shapes`, the same number
    as that of their own judge, under the same protocol."""

    name = "exact"
    numbers = ("exact",)
    against = "nothing"

    def facts(self) -> Mapping[str, Any]:
        """The reader, which changes with the package alone."""
        return {"name": self.name, "judge": "shapes world", "version": imagen_lit.__version__}

    def check(self, sample: Sample, reference: Any = None) -> None:
        """Raise if a caption is of another world."""
        shown_captions.expectations(sample.images)

    def extract(self, sample: Sample, share: Share = ALL, report: Report = silent) -> bool:
        """Nothing: what is read of an image depends on its caption."""
        return True

    def scores(self, sample: Sample, reference: Any = None) -> list[Score]:
        """`exact`; with categories, also for each."""
        right = shown_captions.are_shown(sample.images)
        return exact_scores(self.facts(), right, sample)


def exact_scores(facts: Mapping[str, Any], right: Sequence[bool], sample: Sample) -> list[Score]:
    """The share of right images, over all and for each category, by a reader of these facts."""
    rows: list[Score] = []
    for category in dict.fromkeys([None, *(sample.categories or ())]):
        numbers = [
            number
            for number in range(len(right))
            if category is None or sample.categories[number] == category  # type: ignore[index]
        ]
        chosen = [right[number] for number in numbers]
        ends, method = share_interval(chosen, sample.groups[numbers].tolist())
        part = {} if category is None else {"category": category}
        protocol = {"score": "exact", "metric": dict(facts), "sample": sample.facts()} | part
        name = "exact" if category is None else f"exact/{category}"
        values = np.array(right, float) if category is None else None
        share = sum(chosen) / len(chosen)
        rows.append(Score(name, share, ends, len(chosen), method, protocol, values))
    return rows
