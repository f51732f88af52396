"""The members of a tar from anywhere, one by one; none is unpacked, and no header is trusted.

Only regular files, with a name of bounded length; a truncated tar is an error even if the cut falls
between two members, and so is one with another appended. Any other fault is reported in words too.
A member too large for its kind is reported and not read.
"""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from imagen_lit.basics.errors import InputError

IMAGES = ("jpg", "jpeg", "png", "webp")
LIMIT = dict.fromkeys(IMAGES, 32 << 20) | {"txt": 64 << 10, "json": 1 << 20}  # bytes of one member
COLUMN = dict.fromkeys(IMAGES, 0) | {"txt": 1, "json": 2}
TOO_LARGE = ("its file is too large", "its caption is too long", "its metadata is too large")
TWICE = "it has two images, captions or .json"
MAX_SIZE = 1 << 30  # bytes of any member
MAX_NAME = 1000  # characters
EXTENSIONS = (b"L", b"K", b"x", b"g", b"X")  # types of headers that hold a long name etc. …
MAX_EXTENSION = 1 << 16  # … and the most bytes of one
BLOCK = 512  # bytes; a tar is made of such blocks, and ends with two of zeros …
PADDING = 1 << 20  # … or more, up to this many bytes


class Member(NamedTuple):
    """One plain file of a tar, or a header that claims to be one."""

    name: str
    key: str
    column: int | None  # 0 image, 1 caption, 2 json; unknown kinds have none
    start: int
    size: int
    too_large: str | None  # in words, if it is
    read: Callable[[], bytes]


def members(path: str | Path, file: Any, mode: Literal["r:", "r|"]) -> Iterator[Member]:
    """The plain files of a tar, in the order of the file; `mode` is "r:" or, for a stream, "r|". A
    stream's member is read before the next is requested, or never."""
    with _errors_in_words(path):
        tar = tarfile.open(fileobj=file, mode=mode, tarinfo=_Header, errors="backslashreplace")
    while True:
        with _errors_in_words(path):
            header = tar.next()
        tar.members.clear()  # type: ignore[attr-defined]  # the library would keep them all
        if header is None:
            break
        member = _member(path, tar, header)
        if not header.isdir():
            yield member
    with _errors_in_words(path):
        if tar.fileobj.read(BLOCK) != bytes(BLOCK):  # the first one ended the loop
            raise tarfile.ReadError("it has no end-of-archive mark")
        if any(tar.fileobj.read(PADDING)) or tar.fileobj.read(1):
            raise tarfile.ReadError("something follows its end")


class _Header(tarfile.TarInfo):
    """Raises where the library would silently continue or stop."""

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
        if header.size < 0 or (header.size > MAX_EXTENSION and header.type in EXTENSIONS):
            raise tarfile.ReadError(f"a header says {header.size} bytes")
        return header


def _member(path: str | Path, tar: tarfile.TarFile, header: tarfile.TarInfo) -> Member:
    """By webdataset's rule: a key ends at the first dot of the name."""
    if len(header.name) > MAX_NAME:
        raise InputError(
            f"{path} holds a name of {len(header.name)} characters; at most {MAX_NAME} are "
            "allowed. Make the tar again with shorter names."
        )
    if not (header.isreg() or header.isdir()) or header.issparse():
        raise InputError(
            f"{path} holds {header.name!r}, which is not a plain file. "
            "Make the tar again without it."
        )
    folder, slash, name = header.name.rpartition("/")
    stem, _, kind = name.partition(".")
    kind = kind.lower()
    if not 0 <= header.size <= MAX_SIZE:
        raise InputError(
            f"{path} holds {header.name!r} of {header.size} bytes; at most {MAX_SIZE} are allowed. "
            "Make the tar again without it."
        )
    column = COLUMN.get(kind)
    too_large = TOO_LARGE[column] if column is not None and header.size > LIMIT[kind] else None

    def read() -> bytes:
        with _errors_in_words(path):
            return tar.extractfile(header).read()  # type: ignore[union-attr]

    key = folder + slash + stem
    return Member(header.name, key, column, header.offset_data, header.size, too_large, read)


@contextmanager
def _errors_in_words(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a malformed tar makes tarfile raise a dozen kinds
        raise InputError(
            f"{path} is cut short or is not a plain tar ({error}). Make or copy it again."
        ) from error
