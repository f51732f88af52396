"""The statistics of every sample of a shard: the columns that filters put bounds on.

`width`, `height` (before any resizing, if a .json records them as `original_width` and
`original_height`; else the image's own, and 0 if it cannot be decoded), `caption_length` in
characters, `caption_hash`, `contrast` (the standard deviation of its grey levels, 0 to 127; images
of one colour are broken downloads), and the numbers of the .json under their own names: at most
`MAX_NAMES` in a shard, and none from a .json that has more.

Cached beside the folder, `datasets/laion.meta/00000.statistics.safetensors`, until the tar changes.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from imagen_lit.data import transform
from imagen_lit.data.shard_files import index_cache, shard, shard_index

VERSION = 2
OWN = ("width", "height", "caption_length", "caption_hash", "contrast")
MAX_NAMES = 256
MAX_SIDE = 1 << 31  # pixels; a larger number in a .json is ignored
THUMBNAIL = 32

Statistics = dict[str, np.ndarray]


def of_shard(path: Path) -> Statistics:
    """The columns of a tar, from the cache if it matches the file's current state."""
    file = index_cache.meta_folder(path.parent) / f"{path.stem}.statistics.safetensors"
    stamp = [VERSION, *index_cache.file_stamp(path)]
    if (cached := index_cache.read(file, stamp, [*OWN, "numbers"])) is not None:
        arrays, texts = cached
        names = json.loads(texts["names"])
        own = {name: arrays[name] for name in OWN}
        return own | dict(zip(names, arrays["numbers"], strict=True))
    tar = shard.Shard(path)
    rows = ((tar.metadata(row), tar.caption(row), tar.image(row)) for row in range(len(tar)))
    columns = _columns(rows)
    names = [name for name in columns if name not in OWN]
    numbers = np.array([columns[name] for name in names]).reshape(len(names), len(tar))
    own = {name: columns[name] for name in OWN}
    # The names in a .json may be anything, so they never become names of arrays.
    index_cache.write(file, stamp, own | {"numbers": numbers}, {"names": json.dumps(names)})
    return columns


def of_samples(samples: Iterable[dict[str, Any]]) -> Statistics:
    """The columns of samples that are not in a tar yet."""
    return _columns((s["metadata"], s["caption"], s["image"]) for s in samples)


def _columns(samples: Iterable[tuple[dict[str, Any], str, bytes]]) -> Statistics:
    own: list[tuple[float, ...]] = []
    columns: dict[str, list[float]] = {}  # by name, in the order of appearance
    for metadata, caption, image in samples:
        for name, number in _numbers(metadata).items():
            if name in columns or len(columns) < MAX_NAMES:
                column = columns.setdefault(name, [])
                column += [math.nan] * (len(own) - len(column)) + [number]
        own.append(_own(metadata, caption, image))
    dtypes = dict.fromkeys(OWN, np.int64) | {"contrast": np.float32}
    arrays = {name: np.array([row[i] for row in own], dtypes[name]) for i, name in enumerate(OWN)}
    return arrays | {
        name: np.array(column + [math.nan] * (len(own) - len(column)))
        for name, column in sorted(columns.items())
    }


def _own(metadata: dict[str, Any], caption: str, image: bytes) -> tuple[float, ...]:
    width, height, contrast = _measure(image)
    if width:  # an image that cannot be decoded has no size, whatever its .json records
        width = _side(metadata.get("original_width"), width)
        height = _side(metadata.get("original_height"), height)
    words = " ".join(caption.lower().split())
    return width, height, len(caption), shard_index.key_hash(words.encode()), contrast


def _numbers(metadata: dict[str, Any]) -> dict[str, float]:
    values = {name: _number(value) for name, value in metadata.items() if name not in OWN}
    numbers = {name: value for name, value in values.items() if value is not None}
    return numbers if len(numbers) <= MAX_NAMES else {}


def _measure(data: bytes) -> tuple[int, int, float]:
    """Width, height and contrast; zeros if it cannot be decoded."""
    try:
        width, height = transform.size(data)
        image = transform.decode(data, 1).float().mean(0, keepdim=True)
    except transform.Unusable:
        return 0, 0, 0.0
    thumbnail = F.adaptive_avg_pool2d(image, (min(THUMBNAIL, height), min(THUMBNAIL, width)))
    return width, height, thumbnail.std(correction=0).item()


def _number(value: Any) -> float | None:
    """A number, or a CSV file's text of one; else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _side(value: Any, otherwise: int) -> int:
    number = _number(value)
    return int(number) if number is not None and 1 <= number < MAX_SIDE else otherwise
