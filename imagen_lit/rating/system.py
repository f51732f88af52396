"""A system: a folder of images, which says of each file the prompt it was drawn for.

Either a `prompts.jsonl` does, with rows {"file", "prompt"} and, where known, "seed", "category",
"question" and "answer"; or the PNG files do themselves, as ours do (basics/png_metadata.py). The
images of one prompt are its set, in the order of their seeds.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from imagen_lit.basics import png_metadata
from imagen_lit.basics.errors import InputError

LIST = "prompts.jsonl"


@dataclass(frozen=True)
class PromptImages:
    """One prompt's set; `question` with its `answer` is what to look for, where that is known."""

    prompt: str
    category: str
    question: str
    answer: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """`size` is that of all its images, None where they differ; `digest` is one of their files."""

    name: str
    folder: Path
    sets: dict[str, PromptImages]
    size: tuple[int, int] | None
    digest: str


def read(name: str, folder: Path) -> System:
    """The system of this folder; refused where a file is missing or no image."""
    if not folder.is_dir():
        raise InputError(
            f"systems.{name}={folder} is no folder. Name one that holds images and {LIST}."
        )
    listing = folder / LIST
    rows = list(_listing(listing) if listing.exists() else _metadata(folder))
    if not rows:
        raise InputError(
            f"systems.{name}={folder} says of no image which prompt it was drawn for: it has no "
            f'{LIST}, and no PNG file of ours. Write {LIST} with a row {{"file": "1.png", '
            '"prompt": "a red circle", "category": "Colors"} for each image.'
        )
    sizes, digest = set(), hashlib.sha256()
    sets: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["seed"], row["file"])):
        sets.setdefault(row["prompt"], []).append(row)
        content = _content(name, folder, row["file"])
        sizes.add(_size(name, folder, row["file"], content))
        digest.update(hashlib.sha256(row["prompt"].encode() + content).digest())
    return System(
        name,
        folder.resolve(),
        {prompt: _set(prompt, of_prompt) for prompt, of_prompt in sorted(sets.items())},
        sizes.pop() if len(sizes) == 1 else None,
        digest.hexdigest()[:12],
    )


def _listing(listing: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(listing.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:  # no JSON, or no UTF-8
            row = None
        if not isinstance(row, dict) or not all(
            isinstance(row.get(key), str) and row[key].strip() for key in ("file", "prompt")
        ):
            raise InputError(
                f"line {number} of {listing} is not a row with a file and a prompt. Write "
                '{"file": "1.png", "prompt": "a red circle"} there, in UTF-8.'
            )
        yield _row(row, row["file"])


def _metadata(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.rglob("*.png")):
        facts = png_metadata.read(file) or {}
        if isinstance(facts.get("prompt"), str):
            yield _row(facts, file.relative_to(folder).as_posix())


def _row(facts: dict[str, Any], file: str) -> dict[str, Any]:
    seed = facts.get("seed")
    texts = {key: str(facts.get(key) or "") for key in ("category", "question", "answer")}
    whole = seed if type(seed) is int else 0
    return {"file": file, "prompt": facts["prompt"].strip(), "seed": whole, **texts}


def _content(name: str, folder: Path, file: str) -> bytes:
    path = folder / file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"systems.{name} lists {file}, which lies outside {folder}. Move it into the folder."
        )
    if not path.is_file():
        raise InputError(
            f"systems.{name} lists {file}, which is not there in {folder}. Restore it, or remove "
            "its row."
        )
    return path.read_bytes()


def _size(name: str, folder: Path, file: str, content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()  # which a file that was cut short does not survive
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(
            f"systems.{name} lists {file}, which is no whole image, in {folder}. Restore it, or "
            "remove its row."
        ) from error


def _set(prompt: str, rows: list[dict[str, Any]]) -> PromptImages:
    first = {
        key: next((row[key].strip() for row in rows if row[key].strip()), "")
        for key in ("category", "question", "answer")
    }
    return PromptImages(prompt, **first, files=tuple(row["file"] for row in rows))


def refuse_other_sizes(systems: list[System], edge: int | None) -> None:
    """Raise if a rater could tell systems apart by the size of their images."""
    sizes = {system.name: system.size for system in systems}
    if edge is None and (None in sizes.values() or len({*sizes.values()}) > 1):
        there = ", ".join(
            f"{name} {'has several sizes' if size is None else f'{size[0]}×{size[1]}'}"
            for name, size in sizes.items()
        )
        raise InputError(
            f"the images differ in size, which would give the systems away: {there}. Set edge=256, "
            "for example, to show them all with a longer side of 256 pixels; or name a folder of "
            "one stage."
        )
