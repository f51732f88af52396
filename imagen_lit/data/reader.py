"""A place in the stream -> a sample, ready to be collated; what a loader's workers do.

A place is (position, shard, sample): the sample is looked for in that shard among the rows that
`choose` picks. A picture that cannot be used is replaced by another sample, drawn by (seed,
position), so that every rank and every repetition replaces it alike; replacements are counted, and
too many of them are an error.
"""

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from imagen_lit.data import sidecar, transform
from imagen_lit.data.collection import Collection
from imagen_lit.data.kept import Kept
from imagen_lit.data.shard import Shard
from imagen_lit.data.stream import CROP, MIRROR, SUBSTITUTE, draw

OPEN = 128  # shards open at once in one worker: more than a window, twice as many files
ATTEMPTS = 16
PAD = 8  # text is padded to a multiple of this: few shapes, which compiled networks want

log = logging.getLogger(__name__)

Place = tuple[int, int, int]
Choose = Callable[[np.ndarray], np.ndarray]  # key hashes of a shard -> rows


class Tally:
    """Samples seen and replaced by all workers of this process."""

    def __init__(self, tolerate: float) -> None:
        self.tolerate = tolerate
        self._counts = multiprocessing.Array("q", 2)

    @property
    def seen(self) -> int:
        return self._counts[0]

    @property
    def replaced(self) -> int:
        return self._counts[1]

    def see(self) -> None:
        with self._counts.get_lock():
            self._counts[0] += 1

    def replace(self, what: str) -> None:
        with self._counts.get_lock():
            self._counts[1] += 1
            seen, replaced = self.seen, self.replaced
        if replaced & (replaced - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            log.warning("%s; another sample took its place (%d so far)", what, replaced)
        if replaced > self.tolerate * max(seen, 1000):
            raise ValueError(
                f"{what}. {replaced} pictures of {max(seen, replaced)} could not be used, more "
                f"than the share of {self.tolerate:g} that tolerate allows."
            )


class Reader(Dataset):
    def __init__(
        self,
        shards: Collection,
        text: Path,
        choose: Choose,
        counts: Sequence[int],
        size: int,
        crop: int | None,
        mirror: bool,
        seed: int,
        kept: Kept | None,
        tally: Tally,
    ) -> None:
        self.shards, self.text, self.choose = shards, text, choose
        self.size, self.crop, self.mirror, self.seed = size, crop, mirror, seed
        self.kept, self.tally = kept, tally
        self._ends = list(accumulate(counts))  # of the chosen samples, shard after shard
        self._starts = [0, *accumulate(shards.counts)]  # of all rows
        self._open: dict[int, tuple[Shard, sidecar.Sidecar, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # an open file does not travel to a spawned worker

    def __getitem__(self, place: Place) -> dict[str, Any]:
        position, shard, sample = place
        for attempt in range(ATTEMPTS):
            try:
                item = self._read(position, shard, sample)
            except transform.Unusable as error:
                files, _, rows = self._opened(shard)
                self.tally.replace(f"{files.path} holds {files.key(rows[sample])!r}, but {error}")
                shard, sample = self._substitute(position, attempt)
            else:
                self.tally.see()
                return item
        raise ValueError(f"{ATTEMPTS} pictures in a row could not be used; is this the right data?")

    def _read(self, position: int, shard: int, sample: int) -> dict[str, Any]:
        files, text, rows = self._opened(shard)
        row = int(rows[sample])
        picture = self._picture(files, row, self._starts[shard] + row)
        if self.crop is not None:
            top, left = draw(self.seed, CROP, position, 2).tolist()
            _, height, width = picture.shape
            top, left = top % (height - self.crop + 1), left % (width - self.crop + 1)
            picture = transform.crop(picture, self.crop, top, left)
        if self.mirror and draw(self.seed, MIRROR, position, 1).item() % 2:
            picture = transform.mirror(picture)
        return {
            "image": picture,
            "text": text.row(row),
            "caption": files.caption(row),
            "key": files.key(row),
            "position": position,
        }

    def _picture(self, files: Shard, row: int, number: int) -> torch.Tensor:
        if self.kept is not None and (picture := self.kept.get(number)) is not None:
            return picture
        picture = transform.resize(transform.decode(files.image(row), self.size), self.size)
        if self.crop is None:
            picture = transform.centre(picture, self.size)
        if self.kept is not None:
            self.kept.put(number, picture)
        return picture

    def _substitute(self, position: int, attempt: int) -> tuple[int, int]:
        number = draw(self.seed, SUBSTITUTE, position, 1, attempt).item() % self._ends[-1]
        shard = int(np.searchsorted(self._ends, number, side="right"))
        return shard, number - (self._ends[shard - 1] if shard else 0)

    def _opened(self, shard: int) -> tuple[Shard, sidecar.Sidecar, np.ndarray]:
        """The files of a shard; the least recently used are closed first."""
        files = self._open.pop(shard, None)
        if files is None:
            opened = self.shards.open(shard)
            text = sidecar.open_checked(self.text / f"{opened.path.stem}.safetensors", opened)
            files = opened, text, self.choose(opened.index.hashes)
        self._open[shard] = files
        if len(self._open) > OPEN:
            del self._open[next(iter(self._open))]
        return files


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The batch of the house: image, text, mask, caption, key, position."""
    lengths = torch.tensor([len(item["text"]) for item in items])
    longest = max(PAD, -(-int(lengths.max()) // PAD) * PAD)
    text = torch.zeros(len(items), longest, items[0]["text"].shape[1])
    for padded, item in zip(text, items, strict=True):
        padded[: len(item["text"])] = item["text"]
    return {
        "image": transform.signed(torch.stack([item["image"] for item in items])),
        "text": text,
        "mask": torch.arange(longest) < lengths[:, None],
        "caption": [item["caption"] for item in items],
        "key": [item["key"] for item in items],
        "position": torch.tensor([item["position"] for item in items]),
    }
