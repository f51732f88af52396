"""What is known of every sample of a shard before any is read: the columns that filters ask for.

`width`, `height` (before any resizing, where a .json remembers them as `original_width` and
`original_height`; else the picture's own, and 0 where it has none), `caption_length` in characters,
`caption_hash`, `contrast` (the standard deviation of its grey levels, 0 to 127; pictures of one
colour are broken downloads), and every number of the .json under its own name.

Found once and kept beside the folder, `datasets/laion.meta/00000.facts.npz`, made anew when the tar
has changed.
"""

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from imagen_lit.data import shard, transform
from imagen_lit.data.aside import aside

VERSION = 1
OWN = ("width", "height", "caption_length", "caption_hash", "contrast")
THUMB = 32

Facts = dict[str, np.ndarray]


def of(path: Path) -> Facts:
    """The columns of a tar: read, or found and kept where none fit the file as it is now."""
    kept = shard.meta(path.parent) / f"{path.stem}.facts.npz"
    stamp = [VERSION, *shard.state(path)]
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            if arrays["stamp"].tolist() == stamp:
                return {name: arrays[name] for name in arrays.files if name != "stamp"}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        pass
    tar = shard.Shard(path)
    rows = ((tar.known(row), tar.caption(row), tar.image(row)) for row in range(len(tar)))
    found = _columns([_row(*row) for row in rows])
    with aside(kept) as file:
        np.savez(file, stamp=np.array(stamp), **found)
    return found


def of_samples(samples: Iterable[dict[str, Any]]) -> Facts:
    """The columns of samples that are not in a tar yet."""
    return _columns([_row(s["known"], s["caption"], s["image"]) for s in samples])


def _columns(rows: list[dict[str, Any]]) -> Facts:
    named = sorted({name for row in rows for name in row} - set(OWN))
    facts = {
        name: np.array([row[name] for row in rows], np.int64) for name in OWN if name != "contrast"
    }
    facts["contrast"] = np.array([row["contrast"] for row in rows], np.float32)
    return facts | {
        name: np.array([row.get(name, math.nan) for row in rows], np.float64) for name in named
    }


def _row(known: dict[str, Any], caption: str, image: bytes) -> dict[str, Any]:
    width, height, contrast = _picture(image)
    numbers = {name: _number(value) for name, value in known.items() if name not in OWN}
    return {name: value for name, value in numbers.items() if value is not None} | {
        "width": _whole(known.get("original_width"), width),
        "height": _whole(known.get("original_height"), height),
        "caption_length": len(caption),
        "caption_hash": shard.key_hash(" ".join(caption.lower().split()).encode()),
        "contrast": contrast,
    }


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
    except ValueError:
        return None


def _whole(value: Any, otherwise: int) -> int:
    number = _number(value)
    return int(number) if number is not None and math.isfinite(number) else otherwise
