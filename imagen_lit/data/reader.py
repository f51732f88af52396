"""A place in the stream -> a sample, ready to be collated; what a loader's workers do.

A place is (position, part, shard, sample): the sample is looked for in that shard of that part
among the rows that its selection picks. A picture that cannot be used is replaced by another sample
of its part, drawn by (seed, position), so that every rank and every repetition replaces it alike;
replacements are counted, and too many of them are an error.

Text travels packed, all tokens of a batch end to end in the precision they are stored in, so a
batch is as small as its captions; `padded` spreads it out where it is used.
"""

import logging
import multiprocessing
import resource
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from imagen_lit.data import sidecar, transform
from imagen_lit.data.collection import Collection
from imagen_lit.data.kept import Kept
from imagen_lit.data.selection import Selection
from imagen_lit.data.shard import Shard
from imagen_lit.data.stream import CROP, MIRROR, SUBSTITUTE, draw

SPARE = 64  # shards open besides those of a window: batches straddle two
ATTEMPTS = 16
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # few shapes, which compiled networks want

log = logging.getLogger(__name__)

Place = tuple[int, int, int, int]  # position, part, shard, sample


@dataclass(frozen=True)
class Part:
    """One folder of shards with its text, and which of its rows are read."""

    shards: Collection
    text: Path
    selection: Selection
    held: bool

    @property
    def counts(self) -> np.ndarray:
        return self.selection.held if self.held else self.selection.training


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
            replaced, tried = self.replaced, self.seen + self.replaced
        if replaced & (replaced - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            log.warning("%s; another sample took its place (%d so far)", what, replaced)
        if replaced > self.tolerate * max(tried, 1000):
            raise ValueError(
                f"{what}. {replaced} pictures of {tried} could not be used, more than the share of "
                f"{self.tolerate:g}: build the shards anew, or type data.tolerate=0.1 to go on "
                "without them"
            )


class Reader(Dataset):
    def __init__(
        self,
        parts: Sequence[Part],
        size: int,
        crop: int | None,
        mirror: bool,
        seed: int,
        kept: Kept | None,
        tally: Tally,
        window: int,
    ) -> None:
        self.parts = list(parts)
        self.size, self.crop, self.mirror, self.seed = size, crop, mirror, seed
        self.kept, self.tally = kept, tally
        self._ends = [np.cumsum(part.counts) for part in parts]  # of the rows read, shard by shard
        counts = [count for part in parts for count in part.shards.counts]
        self._starts = [0, *accumulate(counts)]  # of all rows of all parts
        self._first = [0, *accumulate(len(part.shards) for part in parts)]  # shards before a part
        # A window of each part, as far as files may be open: there are two for a shard.
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most_open = max(1, min(window * len(parts) + SPARE, files // 4))
        self._open: dict[tuple[int, int], tuple[Shard, sidecar.Sidecar, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # an open file does not travel to a spawned worker

    def __getitem__(self, place: Place) -> dict[str, Any]:
        position, part, shard, sample = place
        for attempt in range(ATTEMPTS):
            try:
                item = self._read(position, part, shard, sample)
            except transform.Unusable as error:
                files, _, rows = self._opened(part, shard)
                self.tally.replace(f"{files.path} holds {files.key(rows[sample])!r}, but {error}")
                shard, sample = self._substitute(position, part, attempt)
            else:
                self.tally.see()
                return item
        raise ValueError(
            f"{ATTEMPTS} pictures in a row could not be used, the last of {files.path}: see "
            "whether these are pictures at all, then type data.shards=... with the right folder"
        )

    def _read(self, position: int, part: int, shard: int, sample: int) -> dict[str, Any]:
        files, text, rows = self._opened(part, shard)
        row = int(rows[sample])
        picture = self._picture(files, row, self._starts[self._first[part] + shard] + row)
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
        picture = transform.resize(
            transform.decode(files.image(row), self.size, files.turn(row)), self.size
        )
        if self.crop is None:
            picture = transform.centre(picture, self.size)
        if self.kept is not None:
            self.kept.put(number, picture)
        return picture

    def _substitute(self, position: int, part: int, attempt: int) -> tuple[int, int]:
        ends = self._ends[part]
        number = draw(self.seed, SUBSTITUTE, position, 1, attempt).item() % int(ends[-1])
        shard = int(np.searchsorted(ends, number, side="right"))
        return shard, number - (int(ends[shard - 1]) if shard else 0)

    def _opened(self, part: int, shard: int) -> tuple[Shard, sidecar.Sidecar, np.ndarray]:
        """The files of a shard; the least recently used are closed first."""
        files = self._open.pop((part, shard), None)
        if files is None:
            of = self.parts[part]
            opened = of.shards.open(shard)
            text = sidecar.open_checked(of.text / f"{opened.path.stem}.safetensors", opened)
            files = opened, text, of.selection.rows(shard, opened.index.hashes, of.held)
        self._open[part, shard] = files
        if len(self._open) > self.most_open:
            del self._open[next(iter(self._open))]
        return files


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The batch on its way: image, tokens [all, D], lengths [B], caption, key, position."""
    return {
        "image": transform.signed(torch.stack([item["image"] for item in items])),
        "tokens": torch.cat([item["text"] for item in items]),
        "lengths": torch.tensor([len(item["text"]) for item in items]),
        "caption": [item["caption"] for item in items],
        "key": [item["key"] for item in items],
        "position": torch.tensor([item["position"] for item in items]),
    }


def padded(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch of the house: image, text [B, L, D], mask [B, L], caption, key, position.

    On whatever device the batch is; L is the first of `LENGTHS` that suffices.
    """
    batch = dict(batch)
    tokens, lengths = batch.pop("tokens"), batch.pop("lengths")
    longest = max(1, int(lengths.max()))
    longest = LENGTHS[at] if (at := bisect_left(LENGTHS, longest)) < len(LENGTHS) else longest
    mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
    text = tokens.new_zeros(*mask.shape, tokens.shape[1], dtype=torch.float32)
    text[mask] = tokens.float()
    return batch | {"text": text, "mask": mask}
