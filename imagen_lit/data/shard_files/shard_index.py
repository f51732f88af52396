"""The index of one shard: where each member of its tar is, and which keys are samples.

The tar is scanned once and its index kept beside the folder: that of `datasets/demo/00000.tar` is
`datasets/demo.meta/00000.index.safetensors`, made again whenever the tar's size or time changes.

A tar may come from anywhere: it is read with the caution of `shard_files.tar`; a key is a name,
never a path. Members that are not a sample (a README, an image without its caption) are left out
and counted.
"""

import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from imagen_lit.data import exif
from imagen_lit.data.shard_files import index_cache, tar

VERSION = 4
HASHES = 1 << 62  # key hashes are spread evenly over [0, HASHES)


class Index(NamedTuple):
    """Where everything is in one tar; n rows."""

    keys: np.ndarray  # [n] bytes
    offsets: np.ndarray  # [n, 3] image, caption, json
    sizes: np.ndarray  # [n, 3]; -1 where there is no json
    hashes: np.ndarray  # [n] of the keys, for choices that must not depend on the order of rows
    orientations: np.ndarray  # [n] EXIF's, as the .json records it; 1 if it does not
    keys_sha256: str
    captions_sha256: str
    left_out: str  # how many keys are not a sample, by reason: a JSON object


ARRAYS, TEXTS = Index._fields[:5], Index._fields[5:]


def index(path: Path) -> Index:
    """The index of a tar: read, or made and kept if none matches the file's current state."""
    stamp = [VERSION, *index_cache.file_stamp(path)]
    file = index_cache.meta_folder(path.parent) / f"{path.stem}.index.safetensors"
    if (cached := index_cache.read(file, stamp, ARRAYS)) is not None:
        return _from_cache(*cached)
    scanned = _scan(path)
    index_cache.write(file, stamp, *_to_cache(scanned))
    return scanned


def _to_cache(index: Index) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Fixed-length byte strings become numbers, since the format has no strings."""
    fields = index._asdict()
    keys = fields.pop("keys")
    texts = {name: fields.pop(name) for name in TEXTS}
    return fields | {"keys": keys.view(np.uint8).reshape(len(keys), keys.itemsize)}, texts


def _from_cache(arrays: dict[str, Any], texts: dict[str, Any]) -> Index:
    keys = arrays["keys"]
    return Index(
        **arrays | {"keys": keys.view(f"S{keys.shape[1]}").reshape(len(keys))},
        **{name: texts[name] for name in TEXTS},
    )


def _scan(path: Path) -> Index:
    """Read every header once, and every caption for its hash."""
    rows: dict[str, list[tuple[int, int]]] = {}
    left_out: Counter[str] = Counter()
    unusable: dict[str, str] = {}  # keys that are not a sample, whatever other members they have
    with open(path, "rb") as file:
        for member in tar.members(path, file, "r:"):
            row = rows.setdefault(member.key, [(-1, -1)] * 3)
            if member.column is not None:
                if row[member.column][0] >= 0:
                    unusable.setdefault(member.key, tar.TWICE)
                row[member.column] = (member.start, member.size)
            if member.too_large:
                unusable.setdefault(member.key, member.too_large)
        keys, orientations, spans = [], [], []
        digests = Digest(), Digest()
        for key, row in rows.items():
            if key in unusable:
                left_out[unusable[key]] += 1
                continue
            caption, json_text = (_read(file, *span) for span in row[1:])
            if reason := why_not_a_sample(row[0][0] >= 0, caption):
                left_out[reason] += 1
                continue
            keys.append(key.encode())
            for digest, text in zip(digests, (keys[-1], caption), strict=True):
                digest.add(text)  # type: ignore[arg-type]
            orientations.append(exif.orientation_from_json(json_text or b""))
            spans.append(row)
    places = np.array(spans, dtype=np.int64).reshape(-1, 3, 2)
    return Index(
        keys=np.array(keys, dtype="S") if keys else np.zeros(0, "S1"),
        offsets=places[..., 0],
        sizes=places[..., 1],
        hashes=np.array([key_hash(key) for key in keys], dtype=np.int64),
        orientations=np.array(orientations, dtype=np.int8),
        keys_sha256=digests[0].hex(),
        captions_sha256=digests[1].hex(),
        left_out=json.dumps(left_out),
    )


def _read(file: BinaryIO, start: int, size: int) -> bytes | None:
    return os.pread(file.fileno(), size, start) if start >= 0 else None


def why_not_a_sample(has_image: bool, caption: bytes | None) -> str | None:
    """Why the members under one key are not a sample; None if they are one."""
    if caption is None:
        return "it has no caption" if has_image else "it belongs to no sample"
    if not has_image:
        return "it has no image"
    try:
        caption.decode()
    except UnicodeDecodeError:
        return "its caption is not UTF-8"
    return None


def key_hash(key: bytes) -> int:
    """Evenly spread over [0, HASHES)."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") % HASHES


class Digest:
    """One hash of a list of texts; lengths are hashed too, so that no two lists run together."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, text: bytes) -> None:
        """The next text."""
        self._total.update(len(text).to_bytes(8, "little") + text)

    def hex(self) -> str:
        """The hash of all texts so far."""
        return self._total.hexdigest()
