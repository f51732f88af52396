"""The images of any folder of shards, as a set to be measured against: what training held back,
what it shows, or all; each with its caption, and square as training has it (`data/transform`)."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.data import transform
from imagen_lit.data.filter import Filter
from imagen_lit.data.selection import select
from imagen_lit.data.shard_files import index_summary
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.image_set.seeded_choice import seeded_order

RESIZE = "as training: shorter side by antialiased bicubic, then the square in the middle"
OPEN = 32  # shards at a time
PARTS = ("validation", "training", "all")


class Shards:
    """The first `count` images (null: all) of a `part` of `shards`, in an order that keys and
    `seed` decide, at `size`. `validation` and `filter` have to be those of the training.

    An image that training could not use, because it is smaller or broken, is left out and counted;
    for that, each is decoded once, a JPEG to few pixels.
    """

    def __init__(
        self,
        shards: str,
        size: int,
        part: str = "validation",
        validation: float = 0.002,
        count: int | None = None,
        seed: int = 0,
        filter: Filter | None = None,
    ) -> None:
        transform.refuse_size(size)
        arguments.whole_number("seed", seed, 0)
        if part not in PARTS:
            raise InputError(f"part={part} is none. Choose from {', '.join(PARTS)}.")
        self.size, self.part, self.seed = size, part, seed
        self._collection = Collection(shards)
        self._selection = select(self._collection, filter, validation)
        self._opened = lru_cache(OPEN)(self._collection.open)
        self._limit = None if count is None else arguments.whole_number("count", count, 1)
        self._places: list[tuple[int, int]] = []  # of each image: shard and row
        self._left_out: Counter[str] = Counter()
        self.prompts: list[str] = []
        self._digest = self._choose()
        if len(self) < (self._limit or 1):
            left = f" ({sum(self._left_out.values()):,} cannot be used)" if self._left_out else ""
            raise InputError(
                f"part={part} of {shards} has {len(self):,} images of {size} pixels or more{left}, "
                f"fewer than {self._limit or 1:,}. Set count or size lower."
            )

    def __len__(self) -> int:
        return len(self._places)

    def image(self, number: int) -> np.ndarray:
        """uint8 [size, size, 3]: the square in the middle."""
        place, row = self._places[number]
        shard = self._opened(place)
        try:
            image = transform.decode(shard.image(row), self.size, shard.orientation(row))
        except transform.Unusable as error:
            raise InputError(
                f"{shard.path} holds {shard.title(row)}, but {error}. Build the shards again."
            ) from error
        square = transform.centre(transform.resize(image, self.size), self.size)
        return np.ascontiguousarray(square.permute(1, 2, 0).numpy())

    def facts(self) -> Mapping[str, Any]:
        """The same wherever the folder lies, and however the images are spread over shards."""
        return {
            "origin": "shards",
            "part": self.part,
            "count": len(self),
            "size": f"{self.size}x{self.size}",
            "resize": RESIZE,
            "seed": self.seed,
            "left_out": sum(self._left_out.values()),
            "sha256": self._digest,
        }

    def _choose(self) -> str:
        """Fill in places and prompts; the digest is of files, their orientations and captions."""
        total = hashlib.sha256()
        for place, row in self._rows():
            if len(self) == self._limit:
                break
            shard = self._opened(place)
            file, orientation = shard.image(row), shard.orientation(row)
            if problem := self._problem(file):
                self._left_out[problem] += 1
                continue
            self._places.append((place, row))
            self.prompts.append(shard.caption(row).strip())
            for part in (file, b"%d" % orientation, self.prompts[-1].encode()):
                total.update(hashlib.sha256(part).digest())
        return total.hexdigest()

    def _rows(self) -> Iterator[tuple[int, int]]:
        """Shard and row of every image of the part, in the order of the choice."""
        shards = self._collection
        hashes = index_summary.columns(shards.paths, ("hashes",))["hashes"]
        starts = np.cumsum([0, *shards.counts])
        masks = [self._mask(*each) for each in enumerate(np.split(hashes, starts[1:-1]))]
        chosen = np.flatnonzero(np.concatenate(masks))
        for number in chosen[seeded_order(hashes[chosen], self.seed)].tolist():
            place = int(np.searchsorted(starts, number, side="right")) - 1
            yield place, number - int(starts[place])

    def _mask(self, shard: int, hashes: np.ndarray) -> np.ndarray:
        is_validation = {"validation": (True,), "training": (False,), "all": (True, False)}
        mask = np.zeros(len(hashes), bool)
        for part in is_validation[self.part]:
            mask[self._selection.rows(shard, hashes, part)] = True
        return mask

    def _problem(self, file: bytes) -> str | None:
        """Why training could not use it; None if it could."""
        try:
            if min(transform.size(file)) < self.size:
                return "small"
            transform.decode(file, 1)
        except transform.Unusable:
            return "broken"
        return None
