"""A shard: one WebDataset tar of samples, written and read.

A sample is `<key>.jpg` (or png, webp), `<key>.txt` (its caption) and, by choice, `<key>.json` (what
is known of it). `write(path, samples)` makes a shard; `Shard(path)` reads any row of one with
`pread`, so training needs neither tarfile nor webdataset. Where each member lies is found once and
kept beside the folder: `datasets/demo/00000.tar` is indexed by
`datasets/demo.meta/00000.index.safetensors`, made anew whenever the tar's size or time has changed.

A tar is a stranger's file, read with the caution of `data.tar`; a key is a name, never a path.
Members that are no sample (a README, a picture without its caption) are left out and counted.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from imagen_lit.data import found, tar
from imagen_lit.data.aside import aside
from imagen_lit.data.known import said, turn
from imagen_lit.data.tar import IMAGES

VERSION = 3
HASHES = 1 << 62  # key hashes are spread evenly over [0, HASHES)
KEY = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Index(NamedTuple):
    """Where everything lies in one tar; n rows."""

    keys: np.ndarray  # [n] bytes
    offsets: np.ndarray  # [n, 3] image, caption, json
    sizes: np.ndarray  # [n, 3]; -1 where there is no json
    hashes: np.ndarray  # [n] of the keys, for choices that must not depend on the order of rows
    turns: np.ndarray  # [n] Exif's orientation that the .json remembers, 1 where it does not
    keys_sha256: str
    captions_sha256: str
    left_out: str  # how many keys are no sample, by reason: a JSON object


class Shard:
    """One tar, open for reading; rows are in the order of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = index(path)
        self._descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return len(self.index.keys)

    def key(self, row: int) -> str:
        return self.index.keys[row].decode()

    def image(self, row: int) -> bytes:
        return self._member(row, 0)

    def caption(self, row: int) -> str:
        return self._member(row, 1).decode()

    def turn(self, row: int) -> int:
        """Exif's orientation of a picture that has lost its own, 1 where nothing is known."""
        return int(self.index.turns[row])

    def known(self, row: int) -> dict[str, Any]:
        return said(self._member(row, 2)) if self.index.sizes[row, 2] >= 0 else {}

    def _member(self, row: int, column: int) -> bytes:
        offset, size = int(self.index.offsets[row, column]), int(self.index.sizes[row, column])
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise ValueError(
                f"{self.path} was cut short while it was read, at byte {offset}: bring the whole "
                "file back, then type the same command"
            )
        return data


def write(path: Path, samples: Iterable[dict[str, Any]]) -> None:
    """Write samples {key, image (bytes), extension, caption, known}; the same give the same tar."""
    from webdataset import TarWriter  # here, because reading must not need it

    seen = set()
    with aside(path) as file, TarWriter(file, encoder=False, mtime=0.0) as writer:
        for sample in samples:
            key, extension = sample["key"], sample["extension"]
            if not KEY.fullmatch(key) or key in seen:
                raise ValueError(
                    f"Key {key!r} cannot be written to {path}: a key is unique and made of at most "
                    "80 letters, digits, '_' and '-'."
                )
            if extension not in IMAGES:
                raise ValueError(f"Sample {key} is a .{extension}, not one of {', '.join(IMAGES)}.")
            seen.add(key)
            known = json.dumps(sample["known"], sort_keys=True).encode()
            members = {extension: sample["image"], "txt": sample["caption"].encode(), "json": known}
            for kind, data in members.items():
                if len(data) > tar.LIMIT[kind]:
                    raise ValueError(
                        f"'{key}.{kind}' for {path} has {len(data)} bytes; a .{kind} may have "
                        f"{tar.LIMIT[kind]}."
                    )
            writer.write({"__key__": key, **members})


def meta(folder: Path) -> Path:
    """What we know about a folder of shards is kept beside it; the folder stays untouched."""
    named = folder if folder.name.strip(".") else folder.resolve()  # "." and ".." have no name
    if not named.name:
        raise ValueError(f"{folder} cannot be a folder of shards: nothing can lie beside it.")
    return named.with_name(named.name + ".meta")


def state(path: Path) -> list[int]:
    """What changes whenever a file does: size and time."""
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing.") from error
    return [found.st_size, found.st_mtime_ns]


def index(path: Path) -> Index:
    """The index of a tar: read, or made and kept where none fits the file as it is now."""
    stamp = [VERSION, *state(path)]
    kept = meta(path.parent) / f"{path.stem}.index.safetensors"
    if (read := found.read(kept, stamp, Index._fields[:5])) is not None:
        return _index(*read)
    scanned = _scan(path)
    found.keep(kept, stamp, *_told(scanned))
    return scanned


def _told(index: Index) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """As it is kept: bytes of one length become numbers, for the form knows no others."""
    told = index._asdict()
    keys = told.pop("keys")
    texts = {name: told.pop(name) for name in Index._fields[5:]}
    return told | {"keys": keys.view(np.uint8).reshape(len(keys), keys.itemsize)}, texts


def _index(arrays: dict[str, Any], texts: dict[str, Any]) -> Index:
    keys = arrays["keys"]
    return Index(
        **arrays | {"keys": keys.view(f"S{keys.shape[1]}").reshape(len(keys))},
        **{name: texts[name] for name in Index._fields[5:]},
    )


def _scan(path: Path) -> Index:
    """Read every header once, and every caption for its hash."""
    rows: dict[str, list[tuple[int, int]]] = {}
    left_out: Counter[str] = Counter()
    bad: dict[str, str] = {}  # keys that are no sample whatever else they have
    with open(path, "rb") as file:
        for member in tar.members(path, file, "r:"):
            row = rows.setdefault(member.key, [(-1, -1)] * 3)
            if member.kind is not None:
                if row[member.kind][0] >= 0:
                    bad.setdefault(member.key, tar.TWICE)
                row[member.kind] = (member.start, member.size)
            if member.too_large:
                bad.setdefault(member.key, member.too_large)
        keys, turns, places = [], [], []
        digests = Digest(), Digest()
        for key, row in rows.items():
            if key in bad:
                left_out[bad[key]] += 1
                continue
            caption, known = (_read(file, *place) for place in row[1:])
            if reason := lacks(row[0][0] >= 0, caption):
                left_out[reason] += 1
                continue
            keys.append(key.encode())
            for digest, text in zip(digests, (keys[-1], caption), strict=True):
                digest.add(text)  # type: ignore[arg-type]
            turns.append(turn(known or b""))
            places.append(row)
    spans = np.array(places, dtype=np.int64).reshape(-1, 3, 2)
    return Index(
        keys=np.array(keys, dtype="S") if keys else np.zeros(0, "S1"),
        offsets=spans[..., 0],
        sizes=spans[..., 1],
        hashes=np.array([key_hash(key) for key in keys], dtype=np.int64),
        turns=np.array(turns, dtype=np.int8),
        keys_sha256=digests[0].hex(),
        captions_sha256=digests[1].hex(),
        left_out=json.dumps(left_out),
    )


def _read(file: BinaryIO, start: int, size: int) -> bytes | None:
    return os.pread(file.fileno(), size, start) if start >= 0 else None


def lacks(image: bool, caption: bytes | None) -> str | None:
    """Why members under one key are no sample; None if they are one."""
    if caption is None:
        return "it has no caption" if image else "it belongs to no sample"
    if not image:
        return "it has no picture"
    try:
        caption.decode()
    except UnicodeDecodeError:
        return "its caption is not UTF-8"
    return None


def key_hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") % HASHES


class Digest:
    """One hash of a list of texts; lengths are hashed too, so that no two lists run together."""

    def __init__(self) -> None:
        self._total = hashlib.sha256()

    def add(self, text: bytes) -> None:
        self._total.update(len(text).to_bytes(8, "little") + text)

    def hex(self) -> str:
        return self._total.hexdigest()
