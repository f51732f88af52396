"""From a place in the stream to a sample, ready to be collated; what a loader's workers do.

A place is (position, set, shard, sample): the sample is counted among the rows of that shard that
the shard set's selection picks. An image that cannot be used is replaced by another sample of its
set, drawn by (seed, position), so that every rank and every repetition makes the same replacement;
replacements are counted, and too many of them are an error.

Text travels packed, all tokens of a batch end to end in the precision they are stored in, so a
batch is as small as its captions; `pad_text` pads it where it is used.
"""

import logging
import multiprocessing
import resource
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.data import sidecar, transform
from imagen_lit.data.decoded_cache import DecodedCache
from imagen_lit.data.shard_files.shard import Shard
from imagen_lit.data.shard_set import ShardSet
from imagen_lit.data.shuffle_order import CROP, FLIP, SUBSTITUTE, draw

SPARE = 64  # open shards beyond those of one window: batches straddle two
ATTEMPTS = 16
NO_TOKENS = torch.zeros(0, 0)  # of a caption, where there are no sidecars
LENGTHS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)  # few shapes, as compiled networks need

log = logging.getLogger(__name__)

Place = tuple[int, int, int, int]  # position, set, shard, sample
Files = tuple[Shard, sidecar.Sidecar | None, np.ndarray]  # a shard, its text, its selected rows


class Tally:
    """Counts the images that all workers of this process use and replace."""

    def __init__(self, max_bad_fraction: float) -> None:
        self.max_bad_fraction = max_bad_fraction
        self._counts = multiprocessing.Array("q", 2)

    @property
    def counts(self) -> tuple[int, int]:
        """How many images were used, and how many replaced."""
        return self._counts[0], self._counts[1]

    def count_image(self) -> None:
        """Count one more usable image."""
        with self._counts.get_lock():
            self._counts[0] += 1

    def count_replacement(self, reason: str) -> None:
        """Count one more unusable image; raise if there are too many."""
        with self._counts.get_lock():
            self._counts[1] += 1
            bad, total = self._counts[1], sum(self.counts)
        if bad & (bad - 1) == 0:  # the 1st, 2nd, 4th, 8th …
            log.warning("%s; another sample took its place (%d so far)", reason, bad)
        if bad > self.max_bad_fraction * max(total, 1000):
            raise InputError(
                f"{reason}. {bad} of {total} images could not be used, more than "
                f"data.max_bad_fraction={self.max_bad_fraction:g} allows. Set data.filter.min_side "
                "or a smaller data.size if images are too small; build the shards again if they "
                "are broken; or set a larger data.max_bad_fraction."
            )


class Reader(Dataset):
    """Place -> {image, text, caption, key, position}."""

    def __init__(
        self,
        shard_sets: Sequence[ShardSet],
        size: int,
        crop: int | None,
        horizontal_flip: bool,
        seed: int,
        cache: DecodedCache | None,
        tally: Tally,
        window: int,
        kernel: str,
    ) -> None:
        self.shard_sets = list(shard_sets)
        self.size, self.crop, self.horizontal_flip, self.seed = size, crop, horizontal_flip, seed
        self.cache, self.tally, self.kernel = cache, tally, kernel
        self._ends = [np.cumsum(each.counts) for each in shard_sets]  # of selected rows, by shard
        counts = [count for each in shard_sets for count in each.shards.counts]
        self._starts = [0, *accumulate(counts)]  # of all rows, by shard of all sets
        self._first = [0, *accumulate(len(each.shards) for each in shard_sets)]  # shard of a set
        # A window of each set, as far as the limit on open files allows: a shard takes two.
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.max_open = max(1, min(window * len(shard_sets) + SPARE, files // 4))
        self._open: dict[tuple[int, int], Files] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": {}}  # open files cannot be sent to a spawned worker

    def __getitem__(self, place: Place) -> dict[str, Any]:
        position, set_number, shard_number, sample = place
        for attempt in range(ATTEMPTS):
            shard, text, rows = self._files(set_number, shard_number)
            row = int(rows[sample])
            number = self._starts[self._first[set_number] + shard_number] + row
            try:
                image = self._image(shard, row, number)
            except transform.Unusable as error:
                self.tally.count_replacement(f"{shard.path} holds {shard.title(row)}, but {error}")
                shard_number, sample = self._substitute(position, set_number, attempt)
                continue
            item = {
                "image": self._crop_and_flip(image, position),
                "text": NO_TOKENS if text is None else text.row(row),
                "caption": shard.caption(row),
                "key": shard.key(row),
                "position": position,
            }
            self.tally.count_image()
            return item
        raise InputError(
            f"{ATTEMPTS} images in a row could not be used, the last from {shard.path}. Set "
            "data.shards=... to a folder whose images can be read."
        )

    def _crop_and_flip(self, image: torch.Tensor, position: int) -> torch.Tensor:
        if self.crop is not None:
            top, left = draw(self.seed, CROP, position, 2).tolist()
            _, height, width = image.shape
            top, left = top % (height - self.crop + 1), left % (width - self.crop + 1)
            image = transform.crop(image, self.crop, top, left)
        if self.horizontal_flip and draw(self.seed, FLIP, position, 1).item() % 2:
            image = transform.flip(image)
        return image

    def _image(self, shard: Shard, row: int, number: int) -> torch.Tensor:
        if self.cache is not None and (image := self.cache.get(number)) is not None:
            return image
        image = transform.decode(shard.image(row), self.size, shard.orientation(row))
        image = transform.resize(image, self.size, self.kernel)
        if self.crop is None:
            image = transform.centre(image, self.size)
        if self.cache is not None:
            self.cache.put(number, image)
        return image

    def _substitute(self, position: int, set_number: int, attempt: int) -> tuple[int, int]:
        ends = self._ends[set_number]
        number = draw(self.seed, SUBSTITUTE, position, 1, attempt).item() % int(ends[-1])
        shard = int(np.searchsorted(ends, number, side="right"))
        return shard, number - (int(ends[shard - 1]) if shard else 0)

    def _files(self, set_number: int, number: int) -> Files:
        """Those of a shard; the least recently used is closed first."""
        files = self._open.pop((set_number, number), None)
        if files is None:
            shard_set = self.shard_sets[set_number]
            shard = shard_set.shards.open(number)
            text = None
            if shard_set.text is not None:
                file = shard_set.text / f"{shard.path.stem}.safetensors"
                text = sidecar.open_checked(file, shard)
            hashes, is_validation = shard.index.hashes, shard_set.is_validation
            files = shard, text, shard_set.selection.rows(number, hashes, is_validation)
        self._open[set_number, number] = files
        if len(self._open) > self.max_open:
            del self._open[next(iter(self._open))]
        return files


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The batch as it travels: image, tokens [all, D], their lengths [B] and the longest, caption,
    key, position."""
    return {
        "image": pixels.to_signed(torch.stack([item["image"] for item in items])),
        "tokens": torch.cat([item["text"] for item in items]),
        "lengths": torch.tensor([len(item["text"]) for item in items]),
        "longest": max(len(item["text"]) for item in items),
        "caption": [item["caption"] for item in items],
        "key": [item["key"] for item in items],
        "position": torch.tensor([item["position"] for item in items]),
    }


def pad_text(batch: dict[str, Any]) -> dict[str, Any]:
    """The batch that a stage takes: image, text [B, L, D], mask [B, L], caption, key, position.

    Computed on the batch's own device; L is the smallest of `LENGTHS` that suffices.
    """
    batch = dict(batch)
    tokens, lengths = batch.pop("tokens"), batch.pop("lengths")
    longest = max(1, batch.pop("longest"))
    longest = LENGTHS[at] if (at := bisect_left(LENGTHS, longest)) < len(LENGTHS) else longest
    place = torch.arange(longest, device=lengths.device)
    mask = place < lengths[:, None]
    starts = (lengths.cumsum(0) - lengths)[:, None]
    rows = torch.where(mask, starts + place, len(tokens))  # of padding: a row of zeros, at the end
    text = F.pad(tokens.float(), (0, 0, 0, 1))[rows]
    return batch | {"text": text, "mask": mask}
