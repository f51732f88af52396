"""Which rows of a folder of shards are trained on, and which are held back for validation.

Rows that do not pass the filter are never used. Of the others, those whose key's hash is below a
threshold are held back: a choice that depends only on keys, not on the order of shards or the seed,
and is the same at every resolution. A fraction holds back at least `MIN_ROWS`, or half if there are
few.

The selection (a bit per sample, and counts) is cached beside the folder, so that a thousand
processes of a cluster read one small file.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from imagen_lit.basics.errors import InputError
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.shard_files import index_cache, index_summary, statistics
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.data.shard_files.shard_index import HASHES

VERSION = 4
MIN_ROWS = 4
ARRAYS, TEXTS = ("training", "validation", "bits", "starts"), ("threshold", "reasons")


class Selection(NamedTuple):
    """How many rows of each shard are selected, and what is needed to find them."""

    training: np.ndarray  # [shards] rows to train on
    validation: np.ndarray  # [shards] rows held back
    threshold: int  # rows whose hash is below it are held back
    bits: np.ndarray  # a bit per row; each shard begins a new byte; empty without a filter
    starts: np.ndarray  # [shards + 1] first byte of each shard
    reasons: dict[str, int]  # how many samples the filter left out, by the first reason

    @property
    def summary(self) -> str:
        """What the filter left and left out, in words; empty without a filter."""
        left, out = int(self.training.sum() + self.validation.sum()), sum(self.reasons.values())
        if not out:
            return ""
        return f"the filter leaves {left:,} of {left + out:,} samples ({_listing(self.reasons)})"

    def rows(self, shard: int, hashes: np.ndarray, is_validation: bool) -> np.ndarray:
        """The rows of a shard to train on, or to validate on; `hashes` are those of its keys."""
        mask = hashes < self.threshold if is_validation else hashes >= self.threshold
        if len(self.bits):
            packed = self.bits[self.starts[shard] : self.starts[shard + 1]]
            mask &= np.unpackbits(packed, count=len(hashes)).astype(bool)
        return np.flatnonzero(mask)


def select(
    shards: Collection, bounds: Filter | None, validation: float, threshold: int | None = None
) -> Selection:
    """The selection, from the cache if it has been made for these shards before.

    `threshold`, that of another selection of these shards, replaces `validation`.
    """
    samples = sum(shards.counts)
    if not 0 <= validation < samples or (validation >= 1 and validation != int(validation)):
        raise InputError(
            f"data.validation={validation} is neither a fraction below 1 nor a whole number below "
            f"{samples}, the samples of {shards.folder}. Set data.validation=0.02, for example."
        )
    bounds = bounds if bounds is not None and bounds.is_active else None
    stamp = _stamp(shards, bounds, validation, threshold)
    file = meta_folder(shards.folder) / f"selection-{stamp[:16]}.safetensors"
    if (cached := index_cache.read(file, stamp, ARRAYS)) is not None:
        arrays, texts = cached
        values: dict[str, Any] = {name: json.loads(texts[name]) for name in TEXTS}
        return Selection(**values | arrays)
    selection = _select(shards, bounds, validation, threshold)
    arrays = selection._asdict()
    texts = {name: json.dumps(arrays.pop(name)) for name in TEXTS}
    index_cache.write(file, stamp, arrays, texts)
    return selection


def _select(
    shards: Collection, bounds: Filter | None, validation: float, threshold: int | None
) -> Selection:
    reasons: Counter[str] = Counter()
    masks, captions = [], HashSet()
    columns = index_summary.columns(shards.paths, ("counts", "hashes"))
    hashes = np.split(columns["hashes"], np.cumsum(columns["counts"])[:-1])
    if bounds is not None:
        names: set[str] = set()
        for path in shards.paths:
            statistic = statistics.of_shard(path)
            mask, counts = bounds.keep(statistic, captions)
            masks.append(mask)
            reasons.update(counts)
            names.update(statistic)
        bounds.require_fields(names)
        if not any(mask.any() for mask in masks):
            raise InputError(
                f"the filter leaves none of the {sum(shards.counts)} samples of {shards.folder}: "
                f"{_listing(reasons)}. Set wider bounds."
            )
        hashes = [each[mask] for each, mask in zip(hashes, masks, strict=True)]
    if threshold is None:
        threshold = _threshold(hashes, validation, shards)
    held_back = np.array([int((each < threshold).sum()) for each in hashes])
    packed = [np.packbits(mask) for mask in masks]
    return Selection(
        training=np.array([len(each) for each in hashes]) - held_back,
        validation=held_back,
        threshold=threshold,
        bits=np.concatenate([np.zeros(0, np.uint8), *packed]),
        starts=np.cumsum([0, *map(len, packed)]),
        reasons=dict(reasons),
    )


def _listing(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)


def _threshold(hashes: list[np.ndarray], validation: float, shards: Collection) -> int:
    """The hash below which `validation` samples are, a number or a fraction of them."""
    samples = sum(map(len, hashes))
    bound = int(validation * HASHES) if validation < 1 else 0
    count = int(validation) or min(MIN_ROWS, samples // 2)
    if validation == 0 or sum(int((each < bound).sum()) for each in hashes) >= count:
        return bound
    if not 0 < count < samples:
        raise InputError(
            f"data.validation={validation:g} leaves nothing to train on: {samples} samples of "
            f"{shards.folder} pass the filter. Set data.validation=0, or a smaller number."
        )
    lowest = np.zeros(0, np.int64)
    for each in hashes:
        lowest = np.sort(np.concatenate([lowest, each]))[: count + 1]
    return int(lowest[count])


def _stamp(
    shards: Collection, bounds: Filter | None, validation: float, threshold: int | None
) -> str:
    held_back = validation if threshold is None else [threshold]
    identity = bounds.identity() if bounds else None
    return index_cache.digest([VERSION, shards.stamp, identity, held_back])
