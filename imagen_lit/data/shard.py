"""A shard: one WebDataset tar of samples, written and read.

A sample is `<key>.jpg` (or png, webp), `<key>.txt` (its caption) and, by choice, `<key>.json` (what
is known of it). `write(path, samples)` makes a shard; `Shard(path)` reads any row of one with
`pread`, so training needs neither tarfile nor webdataset. Where each member lies is found once and
kept beside the folder: `datasets/demo/00000.tar` is indexed by
`datasets/demo.meta/00000.index.npz`, made anew whenever the tar's size or time has changed.

A tar is a stranger's file: plain regular members only, of known kinds and bounded size, and a key
is a name, never a path. A tar that is cut short is an error even where the cut falls between two
members.
"""

import hashlib
import json
import os
import re
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imagen_lit.data.aside import aside

IMAGES = ("jpg", "jpeg", "png", "webp")
LIMIT = dict.fromkeys(IMAGES, 32 << 20) | {"txt": 64 << 10, "json": 1 << 20}  # bytes of one member
COLUMN = dict.fromkeys(IMAGES, 0) | {"txt": 1, "json": 2}
BLOCK = 512  # a tar is made of such blocks, and ends with two of zeros
VERSION = 2
HASHES = 1 << 62  # key hashes are spread evenly over [0, HASHES)
TURNS = {  # exifread's words, which img2dataset writes
    "Mirrored horizontal": 2,
    "Rotated 180": 3,
    "Mirrored vertical": 4,
    "Mirrored horizontal then rotated 90 CCW": 5,
    "Rotated 90 CW": 6,
    "Mirrored horizontal then rotated 90 CW": 7,
    "Rotated 90 CCW": 8,
}
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
        return json.loads(self._member(row, 2)) if self.index.sizes[row, 2] >= 0 else {}

    def _member(self, row: int, column: int) -> bytes:
        offset, size = int(self.index.offsets[row, column]), int(self.index.sizes[row, column])
        data = os.pread(self._descriptor, size, offset)
        if len(data) != size:
            raise ValueError(f"{self.path} was cut short while it was read, at byte {offset}.")
        return data


def write(path: Path, samples: Iterable[dict[str, Any]]) -> None:
    """Write samples {key, image (bytes), extension, caption, known}; the same give the same tar."""
    from webdataset import TarWriter  # here, because reading must not need it

    seen = set()
    with aside(path) as file, TarWriter(file, encoder=False, mtime=0.0) as tar:
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
                _check_size(path, f"{key}.{kind}", kind, len(data))
            tar.write({"__key__": key, **members})


def meta(folder: Path) -> Path:
    """What we know about a folder of shards is kept beside it; the folder stays untouched."""
    return folder.with_name(folder.name + ".meta")


def state(path: Path) -> list[int]:
    """What changes whenever a tar does: size and time."""
    if not path.is_file():
        raise FileNotFoundError(f"The shard {path} is missing.")
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def index(path: Path) -> Index:
    """The index of a tar: read, or made and kept where none fits the file as it is now."""
    stamp = [VERSION, *state(path)]
    kept = meta(path.parent) / f"{path.stem}.index.npz"
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            if arrays["stamp"].tolist() == stamp:
                texts = (str(arrays[name]) for name in Index._fields[5:])
                return Index(*(arrays[name] for name in Index._fields[:5]), *texts)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        pass  # no index, or not one of ours: the tar itself is the truth
    found = _scan(path)
    with aside(kept) as file:
        np.savez(file, stamp=np.array(stamp), **found._asdict())
    return found


def _scan(path: Path) -> Index:
    """Read every header once, and every caption for its hash."""
    rows: dict[str, list[tuple[int, int]]] = {}
    end = 0
    try:
        with tarfile.open(path, "r:", errors="backslashreplace") as tar:  # "r:": nothing unpacks
            for member in tar:
                end = member.offset_data + -(-member.size // BLOCK) * BLOCK
                if member.isdir():
                    continue
                key, column = place(path, member)
                row = rows.setdefault(key, [(-1, -1)] * 3)
                if column is not None:
                    if row[column][0] >= 0:
                        raise ValueError(f"{path} holds {member.name!r} or its like twice.")
                    row[column] = (member.offset_data, member.size)
    except tarfile.TarError as error:
        raise ValueError(
            f"{path} is cut short or is not a plain tar ({error}). Make or copy it again."
        ) from error
    with open(path, "rb") as file:
        file.seek(end)
        if file.read(2 * BLOCK) != bytes(2 * BLOCK):
            raise ValueError(
                f"{path} is cut short after {len(rows)} samples (it has no end-of-archive mark). "
                "Make or copy it again."
            )
        for key, row in rows.items():
            if row[0][0] < 0 or row[1][0] < 0:
                lacks = "image" if row[0][0] < 0 else "caption (.txt)"
                raise ValueError(f"Sample {key!r} in {path} has no {lacks}.")
        places = np.array(list(rows.values()), dtype=np.int64).reshape(-1, 3, 2)
        captions = [os.pread(file.fileno(), size, offset) for offset, size in places[:, 1].tolist()]
        known = [
            os.pread(file.fileno(), size, offset) if size > 0 else b""
            for offset, size in places[:, 2].tolist()
        ]
    keys = [key.encode() for key in rows]
    for key, caption in zip(rows, captions, strict=True):
        try:
            caption.decode()
        except UnicodeDecodeError as error:
            raise ValueError(f"The caption of {key!r} in {path} is not UTF-8: {error}.") from error
    return Index(
        keys=np.array(keys, dtype="S") if keys else np.zeros(0, "S1"),
        offsets=places[..., 0],
        sizes=places[..., 1],
        hashes=np.array([key_hash(key) for key in keys], dtype=np.int64),
        turns=np.array([_turn(text) for text in known], dtype=np.int8),
        keys_sha256=digest(keys),
        captions_sha256=digest(captions),
    )


class Place(NamedTuple):
    key: str
    kind: int | None  # 0 image, 1 caption, 2 json; unknown kinds have none


def place(path: str | Path, member: tarfile.TarInfo) -> Place:
    """What a member is, by webdataset's rule: a key ends at the first dot of the name. Anything but
    a plain file of bounded size is an error."""
    if not member.isreg() or member.issparse():
        raise ValueError(f"{path} holds {member.name!r}, which is not a plain file.")
    folder, slash, name = member.name.rpartition("/")
    stem, _, kind = name.partition(".")
    kind = kind.lower()
    if kind in LIMIT:
        _check_size(path, member.name, kind, member.size)
    return Place(folder + slash + stem, COLUMN.get(kind))


def _turn(known: bytes) -> int:
    """img2dataset stores a picture that was taken sideways as it is and drops its Exif; what it
    was stands in the .json, as text in a text."""
    if b"Image Orientation" not in known:
        return 1
    try:
        said = json.loads(json.loads(known)["exif"])["Image Orientation"]
    except (ValueError, KeyError, TypeError):
        return 1
    return TURNS.get(said, 1)


def _check_size(path: str | Path, name: str, kind: str, size: int) -> None:
    if not 0 <= size <= LIMIT[kind]:
        raise ValueError(f"{name!r} in {path} has {size} bytes; a .{kind} may have {LIMIT[kind]}.")


def key_hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") % HASHES


def digest(texts: Iterable[bytes]) -> str:
    """One hash of a list of texts; lengths are hashed too, so that no two lists run together."""
    total = hashlib.sha256()
    for text in texts:
        total.update(len(text).to_bytes(8, "little") + text)
    return total.hexdigest()
