"""What is known of every sample of a shard before any is read: the columns that filters ask for.

`width`, `height` (before any resizing, where a .json remembers them as `original_width` and
`original_height`; else the picture's own, and 0 where it has none), `caption_length` in characters,
`caption_hash`, `contrast` (the standard deviation of its grey levels, 0 to 127; pictures of one
colour are broken downloads), and the numbers of the .json under their own names: at most `NAMES` in
a shard, and none of a .json that has more.

Found once and kept beside the folder, `datasets/laion.meta/00000.facts.safetensors`, made anew when
the tar has changed.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from imagen_lit.data import found, shard, transform

VERSION = 2
OWN = ("width", "height", "caption_length", "caption_hash", "contrast")
NAMES = 256
WIDEST = 1 << 31  # pixels; who remembers more is not believed
THUMB = 32

Facts = dict[str, np.ndarray]


def of(path: Path) -> Facts:
    """The columns of a tar: read, or found and kept where none fit the file as it is now."""
    kept = shard.meta(path.parent) / f"{path.stem}.facts.safetensors"
    stamp = [VERSION, *shard.state(path)]
    if (read := found.read(kept, stamp, [*OWN, "numbers"])) is not None:
        arrays, texts = read
        names = json.loads(texts["names"])
        return {name: arrays[name] for name in OWN} | dict(
            zip(names, arrays["numbers"], strict=True)
        )
    tar = shard.Shard(path)
    rows = ((tar.known(row), tar.caption(row), tar.image(row)) for row in range(len(tar)))
    columns = _columns(rows)
    names = [name for name in columns if name not in OWN]
    numbers = np.array([columns[name] for name in names]).reshape(len(names), len(tar))
    own = {name: columns[name] for name in OWN}
    # Names of a stranger's choice are never names of arrays.
    found.keep(kept, stamp, own | {"numbers": numbers}, {"names": json.dumps(names)})
    return columns


def of_samples(samples: Iterable[dict[str, Any]]) -> Facts:
    """The columns of samples that are not in a tar yet."""
    return _columns((s["known"], s["caption"], s["image"]) for s in samples)


def _columns(samples: Iterable[tuple[dict[str, Any], str, bytes]]) -> Facts:
    own: list[tuple[float, ...]] = []
    columns: dict[str, list[float]] = {}  # by name, as they come
    for known, caption, image in samples:
        for name, number in _numbers(known).items():
            if name in columns or len(columns) < NAMES:
                column = columns.setdefault(name, [])
                column += [math.nan] * (len(own) - len(column)) + [number]
        own.append(_own(known, caption, image))
    kinds = dict.fromkeys(OWN, np.int64) | {"contrast": np.float32}
    facts = {name: np.array([row[i] for row in own], kinds[name]) for i, name in enumerate(OWN)}
    return facts | {
        name: np.array(column + [math.nan] * (len(own) - len(column)))
        for name, column in sorted(columns.items())
    }


def _own(known: dict[str, Any], caption: str, image: bytes) -> tuple[float, ...]:
    width, height, contrast = _picture(image)
    if width:  # what cannot be seen has no size, whatever it is said to have had
        width = _whole(known.get("original_width"), width)
        height = _whole(known.get("original_height"), height)
    words = " ".join(caption.lower().split())
    return width, height, len(caption), shard.key_hash(words.encode()), contrast


def _numbers(known: dict[str, Any]) -> dict[str, float]:
    numbers = {name: _number(value) for name, value in known.items() if name not in OWN}
    said = {name: value for name, value in numbers.items() if value is not None}
    return said if len(said) <= NAMES else {}


def _picture(data: bytes) -> tuple[int, int, float]:
    """Width, height and contrast; zeros if it cannot be decoded."""
    try:
        width, height = transform.size(data)
        picture = transform.decode(data, 1).float().mean(0, keepdim=True)
    except transform.Unusable:
        return 0, 0, 0.0
    thumb = F.adaptive_avg_pool2d(picture, (min(THUMB, height), min(THUMB, width)))
    return width, height, thumb.std(correction=0).item()


def _number(value: Any) -> float | None:
    """Numbers, and what a CSV file wrote of them."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _whole(value: Any, otherwise: int) -> int:
    number = _number(value)
    return int(number) if number is not None and 1 <= number < WIDEST else otherwise
