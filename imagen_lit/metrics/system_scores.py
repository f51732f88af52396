"""The scores of one evaluation, read back from its folder, to be put beside those of others."""

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagen_lit.basics import json_file
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import flatten
from imagen_lit.evaluation.paired_difference import ImageScores
from imagen_lit.metrics import measured
from imagen_lit.metrics.measured import SCORES


@dataclass(frozen=True)
class SystemScores:
    """`rows` and `protocols` as scores.json has them; `settings` are those that drew the images."""

    name: str
    rows: list[dict[str, Any]]
    protocols: Mapping[str, Any]
    settings: Mapping[str, Any]
    values: Mapping[str, np.ndarray]

    @classmethod
    def read(cls, folder: Path, name: str) -> "SystemScores":
        """Raise if the folder holds no scores."""
        file = folder / SCORES
        if not file.is_file():
            raise InputError(f"{folder} holds no {SCORES}. Name the folder of an evaluation.")
        content = json_file.read(file, "Remove it, and evaluate again.")
        rows, protocols = content.get("scores"), content.get("protocols")
        if not isinstance(rows, list) or not isinstance(protocols, dict) or not rows:
            raise InputError(
                f"{file} has no scores with a protocol, as those of earlier versions have not. "
                "Type evaluate again with its name; its images are kept."
            )
        settings = flatten(content.get("provenance", {}))
        return cls(name, rows, protocols, settings, measured.read_values(folder))

    @property
    def stages(self) -> list[str]:
        """In their order."""
        return list(dict.fromkeys(row["stage"] for row in self.rows))

    def of_stage(self, stage: str) -> list[dict[str, Any]]:
        """The totals of a stage, without those of single categories."""
        return [row for row in self.rows if row["stage"] == stage and "/" not in row["metric"]]

    def image_scores(
        self, row: Mapping[str, Any], other: "SystemScores | None" = None
    ) -> ImageScores | None:
        """The scores of each image, if they were kept, to be paired with those of the other."""
        values = self.values.get(measured.key(row))
        if values is None:
            return None
        has_seeds = self.has_seeds and (other is None or other.has_seeds)
        scores = dict(zip(self._names(has_seeds), values.tolist(), strict=True))
        is_each_there = len(scores) == len(values)  # no two with one prompt and seed
        sums = self.values.get(measured.key(row) + measured.PAIRS) if is_each_there else None
        return ImageScores(self.name, scores, self.protocols[row["protocol"]], sums)

    @property
    def has_seeds(self) -> bool:
        """Whether the seed of every image is known, as it is not of a folder from elsewhere."""
        return bool((self.values[measured.SEEDS] != measured.UNKNOWN).all())

    def _names(self, has_seeds: bool) -> Iterator[tuple[Hashable, int]]:
        """Prompt and seed of each image, or its number among those of its prompt. Where no prompt
        is known, each image is one for itself."""
        prompts, seeds = (self.values[name].tolist() for name in (measured.PROMPTS, measured.SEEDS))
        is_named, counts = any(prompts), Counter[str]()
        for number, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            name = prompt if is_named else f"image {number}"
            yield name, seed if has_seeds else counts[name]
            counts[name] += 1
