"""A stranger's tar: its members one by one, none of them unpacked, and nothing believed.

Plain regular files only, with a name of bounded length; a tar that is cut short is an error even
where the cut falls between two members, and so is one with another behind its end. Whatever else is
wrong with one is an error in words too. A member too large for its kind is told and not read.
"""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

IMAGES = ("jpg", "jpeg", "png", "webp")
LIMIT = dict.fromkeys(IMAGES, 32 << 20) | {"txt": 64 << 10, "json": 1 << 20}  # bytes of one member
COLUMN = dict.fromkeys(IMAGES, 0) | {"txt": 1, "json": 2}
TOO_LARGE = ("its file is too large", "its caption is too long", "too much is known of it")
TWICE = "it has two pictures, captions or .json"
LARGEST = 1 << 30  # bytes of any member
LONGEST = 1000  # characters of a name
TELLING = (b"L", b"K", b"x", b"g", b"X")  # types of headers that only tell a name or the like …
EXTENDED = 1 << 16  # … and their bytes
BLOCK = 512  # a tar is made of such blocks, and ends with two of zeros …
PADDING = 1 << 20  # … or some more


class Member(NamedTuple):
    name: str
    key: str
    kind: int | None  # 0 image, 1 caption, 2 json; unknown kinds have none
    start: int
    size: int
    too_large: str | None  # in words, if it is
    read: Callable[[], bytes]


def members(path: str | Path, file: Any, mode: Literal["r:", "r|"]) -> Iterator[Member]:
    """The plain files of a tar, in the order of the file; `mode` is "r:" or, where nothing can be
    sought, "r|". Of a stream a member is read before the next is asked for, or never."""
    with _in_words(path):
        tar = tarfile.open(fileobj=file, mode=mode, tarinfo=_Header, errors="backslashreplace")
    while True:
        with _in_words(path):
            found = tar.next()
        tar.members.clear()  # type: ignore[attr-defined]  # of which the library keeps every one
        if found is None:
            break
        member = _member(path, tar, found)
        if not found.isdir():
            yield member
    with _in_words(path):
        if tar.fileobj.read(BLOCK) != bytes(BLOCK):  # the first one ended the loop
            raise tarfile.ReadError("it has no end-of-archive mark")
        if any(tar.fileobj.read(PADDING)) or tar.fileobj.read(1):
            raise tarfile.ReadError("something follows its end")


class _Header(tarfile.TarInfo):
    """Where the library would go on or come to an end in silence, this is an error."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        if not buf:
            raise tarfile.ReadError("it has no end-of-archive mark")
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error
        if header.size < 0 or (header.size > EXTENDED and header.type in TELLING):
            raise tarfile.ReadError(f"a header says {header.size} bytes")
        return header


def _member(path: str | Path, tar: tarfile.TarFile, found: tarfile.TarInfo) -> Member:
    """By webdataset's rule: a key ends at the first dot of the name."""
    if len(found.name) > LONGEST:
        raise ValueError(f"{path} holds a name of {len(found.name)} characters, of {LONGEST}.")
    if not (found.isreg() or found.isdir()) or found.issparse():
        raise ValueError(f"{path} holds {found.name!r}, which is not a plain file.")
    folder, slash, name = found.name.rpartition("/")
    stem, _, kind = name.partition(".")
    kind = kind.lower()
    if not 0 <= found.size <= LARGEST:
        raise ValueError(
            f"{path} holds {found.name!r} of {found.size} bytes; a member may have {LARGEST}."
        )
    column = COLUMN.get(kind)
    excess = TOO_LARGE[column] if column is not None and found.size > LIMIT[kind] else None

    def read() -> bytes:
        with _in_words(path):
            return tar.extractfile(found).read()  # type: ignore[union-attr]

    key = folder + slash + stem
    return Member(found.name, key, column, found.offset_data, found.size, excess, read)


@contextmanager
def _in_words(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a strange tar makes tarfile raise a dozen kinds
        raise ValueError(
            f"{path} is cut short or is not a plain tar ({error}). Make or copy it again."
        ) from error
