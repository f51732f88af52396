"""A set of images with a folder for what networks see in it.

An image goes through each extractor once, whatever is measured afterwards. Several processes that
run the same command share the work: each computes every n-th part, and the features are complete
when the last has ended. A part is always computed whole and in the same batches, so a killed
process, started again, or another number of processes, gives the same bits.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.process_share import Share
from imagen_lit.evaluation.protocol import digest
from imagen_lit.features.extractor import Extractor, TextExtractor
from imagen_lit.image_set.image_set import ImageSet
from imagen_lit.metrics import frechet
from imagen_lit.metrics.feature_parts import FeatureParts
from imagen_lit.metrics.frechet import Gaussian

BATCH = 64  # images that an extractor sees at once; divides a part, and decides rounding
ALL = Share()
# What `ImageSet.facts` may tell of the files that changes what is measured, whoever made them.
FORM = ("format", "size")

Report = Callable[[int, int], None]  # rows of this process that are there, and its share of them


def silent(there: int, share: int) -> None:
    """Report nothing."""


class Sample:
    """Images, and what the extractors made of them in `folder`. `categories[i]` is that of image
    i's prompt, None for none; per-image metrics then also give a score for each category."""

    def __init__(
        self,
        image_set: ImageSet,
        folder: str | Path,
        categories: Sequence[str | None] | None = None,
    ) -> None:
        self.images, self.folder, self.categories = image_set, Path(folder), categories
        if len(image_set) == 0:
            raise InputError("a set of images holds none. Give at least one image.")
        for name, values in (("prompts", image_set.prompts), ("categories", categories)):
            if values is not None and len(values) != len(image_set):
                raise InputError(
                    f"{len(image_set)} images have {len(values)} {name}. Give one for each image."
                )
        if categories is not None and "all" in categories:
            raise InputError('a category is named "all", like the total. Rename the category.')
        prompts = image_set.prompts
        self.texts = None if prompts is None else list(dict.fromkeys(prompts))
        numbers = {text: number for number, text in enumerate(self.texts or ())}
        of_each = range(len(image_set)) if prompts is None else [numbers[text] for text in prompts]
        self.groups = np.array(of_each)  # the number of each image's prompt in `texts`
        self._images_facts = dict(image_set.facts())
        self._prompts_digest = None if prompts is None else _digest_of_texts(sorted(prompts))

    def __len__(self) -> int:
        return len(self.images)

    def facts(self) -> dict[str, Any]:
        """What of these images a number's meaning depends on when they are *measured*: how many,
        for which prompts, in files of what form. Not which system drew them, nor with which seeds:
        that is what the number is asked about."""
        known = self._images_facts
        form = {key: known[key] for key in FORM if key in known}
        return {"count": len(self), "prompts": self._prompts_digest, **form}

    def reference_facts(self) -> dict[str, Any]:
        """What a number's meaning depends on when others are measured *against* these images: all
        that identifies them."""
        return self._images_facts

    def extract(self, extractor: Extractor, share: Share = ALL, report: Report = silent) -> bool:
        """Compute this process's share of the images' features; True once all of them are there."""

        def compute(rows: range) -> np.ndarray:
            batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
            return np.concatenate(
                [extractor.features([self.images.image(n) for n in batch]) for batch in batches]
            )

        return _fill(self.features(extractor), self._facts(extractor), compute, share, report)

    def features(self, extractor: Extractor) -> FeatureParts:
        """What `extract` has made of the images: [images, width]."""
        folder = self.folder / "features" / digest(self._facts(extractor))
        return FeatureParts(folder, len(self), extractor.width)

    def gaussian(self, extractor: Extractor) -> Gaussian:
        """The Gaussian that fits the images' features, read part by part."""
        return frechet.fit(self.features(extractor))

    def extract_texts(
        self,
        extractor: TextExtractor,
        prefix: str = "",
        share: Share = ALL,
        report: Report = silent,
    ) -> bool:
        """The same for the different prompts, each with a prefix before it."""
        texts = [prefix + text for text in self.require_texts()]

        def compute(rows: range) -> np.ndarray:
            batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
            return np.concatenate(
                [extractor.text_features([texts[n] for n in batch]) for batch in batches]
            )

        parts = self.text_features(extractor, prefix)
        return _fill(parts, self._text_facts(extractor, prefix), compute, share, report)

    def text_features(self, extractor: TextExtractor, prefix: str = "") -> FeatureParts:
        """What `extract_texts` has made of the different prompts: [texts, width]; image i's is row
        `groups[i]`."""
        folder = self.folder / "features" / digest(self._text_facts(extractor, prefix))
        return FeatureParts(folder, len(self.require_texts()), extractor.width)

    def require_texts(self) -> list[str]:
        """The different prompts; raise if these images have none."""
        if self.texts is None:
            raise InputError(
                "these images have no prompts, so nothing says what they ought to show. Give their "
                "prompts, or leave the scores of text out."
            )
        return self.texts

    def _facts(self, extractor: Extractor) -> dict[str, Any]:
        return {"extractor": dict(extractor.facts()), "images": self._images_facts}

    def _text_facts(self, extractor: TextExtractor, prefix: str) -> dict[str, Any]:
        texts = [prefix + text for text in self.require_texts()]
        return {"extractor": dict(extractor.facts()), "texts": _digest_of_texts(texts)}


def _fill(
    parts: FeatureParts,
    facts: Mapping[str, Any],
    compute: Callable[[range], np.ndarray],
    share: Share,
    report: Report,
) -> bool:
    """Compute and store this process's parts that are missing; True if none is missing then."""
    own, lacking = share.of(parts.parts()), set(parts.missing())
    if lacking and not (parts.folder / "facts.json").exists():
        write_json(parts.folder / "facts.json", facts)
    to_do = [part for part in own if part in lacking]
    total = sum(len(parts.rows(part)) for part in own)
    there = total - sum(len(parts.rows(part)) for part in to_do)
    for part in to_do:
        report(there, total)  # also before the first, which may take minutes
        parts.write(part, compute(parts.rows(part)))
        there += len(parts.rows(part))
    if to_do:
        report(there, total)
    return not parts.missing()


def _digest_of_texts(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:12]
