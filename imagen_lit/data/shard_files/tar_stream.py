"""The samples of a tar in an object store, read once from front to back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import fsspec

from imagen_lit.data import exif
from imagen_lit.data.shard_files import shard_index, tar


def read_samples(url: str) -> Iterator[dict[str, Any]]:
    """{key, image, caption and json (bytes), orientation, shard} of each sample; anything else is
    left out, as in `shard_index.index`."""
    with _open(url) as file:
        parts: dict[int, bytes] = {}
        key, is_bad = None, False
        for member in tar.members(url, file, "r|"):
            if member.key != key:
                yield from () if is_bad else _sample(url, key, parts)
                key, is_bad, parts = member.key, False, {}
            if member.too_large or member.column in parts:
                is_bad = True
            elif member.column is not None:
                parts[member.column] = member.read()
        yield from () if is_bad else _sample(url, key, parts)


def _sample(url: str, key: str | None, parts: dict[int, bytes]) -> Iterator[dict[str, Any]]:
    if not shard_index.why_not_a_sample(0 in parts, parts.get(1)):
        orientation = exif.orientation_from_json(parts.get(2, b""))
        sample = {"key": key, "image": parts[0], "caption": parts[1], "json": parts.get(2, b"")}
        yield sample | {"orientation": orientation, "shard": url}


class _StoreFile:
    """A file in a store, whose errors are never mistaken for the tar's."""

    def __init__(self, url: str, file: BinaryIO) -> None:
        self.url, self.file = url, file

    def read(self, count: int) -> bytes:
        with _store_errors(self.url, "read to its end"):
            return self.file.read(count)


@contextmanager
def _open(url: str) -> Iterator[_StoreFile]:
    with _store_errors(url, "opened"):
        file = fsspec.open(url, "rb").open()
    with file:
        yield _StoreFile(url, file)


@contextmanager
def _store_errors(url: str, action: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # each store has its own errors
        reason = "nothing is there" if isinstance(error, FileNotFoundError) else repr(error)
        raise ConnectionError(
            f"{url} cannot be {action} ({reason}). Check the address, the network and your "
            "permission to read it."
        ) from error
