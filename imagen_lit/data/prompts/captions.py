"""The captions that are held back from training, as prompts, with their own images to compare."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from imagen_lit.basics import arguments
from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.errors import InputError
from imagen_lit.data import held_back, transform
from imagen_lit.data.prompts.prompt_list import repeat, seeds
from imagen_lit.data.selection import Selection, select
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shard_files.shard_index import HASHES


@dataclass(frozen=True)
class HeldBackCaptions:
    """Captions, and the files of their images with the EXIF orientation of each."""

    prompts: list[str]
    seeds: list[int]
    files: list[tuple[bytes, int]]

    def true_images(self, size: int) -> np.ndarray:
        """The images as training would see them, uint8 [N, size, size, 3]."""
        return np.stack([_square(*file, size) for file in self.files])


class Captions:
    """The first `count` held-back captions of the data (fewer if there are fewer), each once: in
    the order of their keys' hashes, so the same for every start. Their seeds begin at `seed`; each
    is drawn from `seeds_per_prompt` of them."""

    def __init__(self, count: int, seed: int = 0, seeds_per_prompt: int = 1) -> None:
        self.count = whole_number("prompts.count", count, 1)
        self.seed = whole_number("prompts.seed", seed, 0)
        self.draws = whole_number("prompts.seeds_per_prompt", seeds_per_prompt, 1)

    def of(self, data: Any) -> HeldBackCaptions:
        """Those of the first folder, which validation uses too."""
        return self._of(*data.held_back())

    def _of(self, shards: Collection, selection: Selection) -> HeldBackCaptions:
        chosen: dict[str, tuple[bytes, int]] = {}
        for shard, row in held_back.rows(shards, selection):
            caption, file = shard.caption(row).strip(), (shard.image(row), shard.orientation(row))
            if caption and caption not in chosen and _is_readable(*file):
                chosen[caption] = file
            if len(chosen) == self.count:
                break
        if not chosen:
            raise InputError(
                f"no captions of {shards.folder} are held back (data.validation=0), so there are "
                "none to draw. Set data.validation=0.02 under a new name=..., or data/prompts=file "
                "prompts.path=<one prompt per line>, or callbacks=default."
            )
        return HeldBackCaptions(
            repeat(list(chosen), self.draws),
            seeds(len(chosen), self.seed, self.draws),
            repeat(list(chosen.values()), self.draws),
        )


class ShardCaptions(Captions):
    """The same of any folder of shards, whatever data a stage is trained on. It holds back
    `validation` of its samples; None: all of them, for a folder that training never sees."""

    def __init__(
        self,
        shards: str,
        validation: float | None,
        count: int,
        seed: int = 0,
        seeds_per_prompt: int = 1,
    ) -> None:
        super().__init__(count, seed, seeds_per_prompt)
        if validation is not None:
            arguments.number("prompts.validation", validation, 0)
        self.shards, self.validation = shards, validation

    def of(self, data: Any) -> HeldBackCaptions:
        """Those of its own folder."""
        shards = Collection(self.shards)
        threshold = HASHES if self.validation is None else None
        return self._of(shards, select(shards, None, self.validation or 0, threshold))


def _is_readable(file: bytes, orientation: int) -> bool:
    try:
        _square(file, orientation, 1)
    except transform.Unusable:
        return False
    return True


def _square(file: bytes, orientation: int, size: int) -> np.ndarray:
    """The square in the middle; an image that is smaller is enlarged."""
    edge = min(size, *transform.size(file))
    image = transform.resize(transform.decode(file, edge, orientation), size)
    return torch.permute(transform.centre(image, size), (1, 2, 0)).numpy()
