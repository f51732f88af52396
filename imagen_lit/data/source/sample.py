"""An entry of a folder or a table becomes a sample `{key, image, extension, caption, metadata}`, or
is `Unusable` for one of a few reasons, which are counted."""

import json
from pathlib import Path
from typing import Any

from imagen_lit.data.shard_files.tar import COLUMN, LIMIT, TOO_LARGE
from imagen_lit.data.transform import Unusable

MAGIC = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


def extension(image: bytes) -> str:
    """Determined by the first bytes, whatever the file was called."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    for magic, kind in MAGIC.items():
        if image.startswith(magic):
            return kind
    raise Unusable("it is no JPEG, PNG or WebP")


def read(file: Path, kind: str) -> bytes:
    """A file's bytes; a file larger than a member of its kind may be is not read."""
    if file.stat().st_size > LIMIT[kind]:
        raise Unusable(TOO_LARGE[COLUMN[kind]])
    return file.read_bytes()


def sample(number: int, image: bytes, caption: Any, metadata: dict[str, Any]) -> dict[str, Any]:
    """The sample with this number; only numbers, texts and booleans of the metadata remain."""
    if not isinstance(caption, str) or not caption.strip():
        raise Unusable("it has no caption")
    try:
        is_long = len(caption.encode()) > LIMIT["txt"]
    except UnicodeEncodeError as error:
        raise Unusable("its caption is not UTF-8") from error
    if is_long:
        raise Unusable(TOO_LARGE[1])
    kind = extension(image)
    if len(image) > LIMIT[kind]:
        raise Unusable(TOO_LARGE[0])
    metadata = {name: value for name, value in metadata.items() if _is_plain(value)}
    if len(json.dumps(metadata)) > LIMIT["json"]:
        raise Unusable(TOO_LARGE[2])
    return {
        "key": f"{number:09d}",
        "image": image,
        "extension": kind,
        "caption": caption.strip(),
        "metadata": metadata,
    }


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool)) or value is None
