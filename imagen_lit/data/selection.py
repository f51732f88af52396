"""Which rows of a folder of shards are trained on, and which are held back for validation.

A row passes the filter or is never seen. Of those that pass, the ones are held back whose key's
hash lies below a threshold: a choice that depends on keys alone, not on the order of shards nor on
the seed, and is the same at every resolution. A share holds back at least `FEW`, or half of fewer.

The answer (a bit a sample, and counts) is kept beside the folder, so that a thousand processes of a
cluster read one small file.
"""

import hashlib
import json
from collections import Counter
from typing import NamedTuple

import numpy as np

from imagen_lit.data import facts, found, summary
from imagen_lit.data.collection import Collection
from imagen_lit.data.filter import Filter
from imagen_lit.data.seen import Seen
from imagen_lit.data.shard import HASHES, meta

VERSION = 2
FEW = 4


class Selection(NamedTuple):
    training: np.ndarray  # [shards] rows to train on
    held: np.ndarray  # [shards] rows held back
    threshold: int  # hashes below it are held back
    bits: np.ndarray  # a bit a row, shard after shard, each beginning a byte; none without a filter
    starts: np.ndarray  # [shards + 1] bytes
    reasons: dict[str, int]  # how many samples the filter left out, by the first reason

    def rows(self, shard: int, hashes: np.ndarray, held: bool) -> np.ndarray:
        wanted = hashes < self.threshold if held else hashes >= self.threshold
        if len(self.bits):
            packed = self.bits[self.starts[shard] : self.starts[shard + 1]]
            wanted &= np.unpackbits(packed, count=len(hashes)).astype(bool)
        return np.flatnonzero(wanted)


def select(
    shards: Collection, chosen: Filter | None, validation: float, threshold: int | None = None
) -> Selection:
    """The selection: read where it was made before, from the same shards in the same way.

    A `threshold` instead of the share: what another selection of these shards has held back.
    """
    samples = sum(shards.counts)
    if not 0 <= validation < samples or (validation >= 1 and validation != int(validation)):
        raise ValueError(
            f"validation={validation} must be a share below 1 or a whole number of samples below "
            f"the {samples} that {shards.folder} has."
        )
    chosen = chosen if chosen is not None and chosen.asks else None
    stamp = _stamp(shards, chosen, validation, threshold)
    file = meta(shards.folder) / f"selection-{stamp[:16]}.safetensors"
    if (read := found.read(file, stamp, ("training", "held", "bits", "starts"))) is not None:
        arrays, texts = read
        return Selection(
            **arrays, threshold=int(texts["threshold"]), reasons=json.loads(texts["reasons"])
        )
    selected = _select(shards, chosen, validation, threshold)
    arrays = selected._asdict()
    texts = {name: json.dumps(arrays.pop(name)) for name in ("threshold", "reasons")}
    found.keep(file, stamp, arrays, texts)
    return selected


def _select(
    shards: Collection, chosen: Filter | None, validation: float, threshold: int | None
) -> Selection:
    reasons: Counter[str] = Counter()
    keeps, captions = [], Seen()
    whole = summary.columns(shards.paths, ("counts", "hashes"))
    hashes = np.split(whole["hashes"], np.cumsum(whole["counts"])[:-1])
    for path in shards.paths if chosen else ():
        keep, counts = chosen.keep(facts.of(path), captions)  # type: ignore[union-attr]
        keeps.append(keep)
        reasons.update(counts)
    if chosen and not any(keep.any() for keep in keeps):
        raise ValueError(
            f"the filter leaves none of the {sum(shards.counts)} samples of {shards.folder}: "
            + ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
        )
    left = [h[k] for h, k in zip(hashes, keeps, strict=True)] if chosen else hashes
    if threshold is None:
        threshold = _threshold(left, validation, shards)
    held = np.array([int((h < threshold).sum()) for h in left])
    packed = [np.packbits(keep) for keep in keeps]
    return Selection(
        training=np.array([len(h) for h in left]) - held,
        held=held,
        threshold=threshold,
        bits=np.concatenate([np.zeros(0, np.uint8), *packed]),
        starts=np.cumsum([0, *(len(p) for p in packed)]),
        reasons=dict(reasons),
    )


def _threshold(hashes: list[np.ndarray], validation: float, shards: Collection) -> int:
    """The hash below which lie as many as asked for, or the share asked for."""
    samples = sum(map(len, hashes))
    share = int(validation * HASHES) if validation < 1 else 0
    count = int(validation) or min(FEW, samples // 2)
    if validation == 0 or sum(int((of < share).sum()) for of in hashes) >= count:
        return share
    if not 0 < count < samples:
        raise ValueError(
            f"validation={validation:g} must leave some of the {samples} samples of "
            f"{shards.folder} that the filter leaves: type data.validation=0, or a number of them."
        )
    lowest = np.zeros(0, np.int64)
    for of in hashes:
        lowest = np.sort(np.concatenate([lowest, of]))[: count + 1]
    return int(lowest[count])


def _stamp(
    shards: Collection, chosen: Filter | None, validation: float, threshold: int | None
) -> str:
    said = [
        VERSION,
        shards.stamp,
        chosen.identity() if chosen else None,
        validation if threshold is None else [threshold],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
