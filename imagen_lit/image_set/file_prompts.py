"""What the images of a folder were asked to show, by whoever made them: the first of these that
says it of any image must say it of all.

1. `prompts.jsonl` in the folder: {"file": …, "prompt": …}, with "seed" and "category" if known;
2. a text beside each image, `a.txt` for `a.png`, as img2dataset and others write it;
3. the PNGs themselves, where they are ours.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file
from imagen_lit.data.source import json_lines
from imagen_lit.image_set.image_file import Header

FILE = "prompts.jsonl"


class Asked(NamedTuple):
    """What an image was asked to show, and where known from which seed and of which category."""

    prompt: str
    seed: int | None = None
    category: str | None = None


def of(root: Path, files: Sequence[str], headers: Sequence[Header]) -> list[Asked] | None:
    """For each file, None if nothing says anything."""
    if (root / FILE).is_file():
        asked, place = _listed(root / FILE), FILE
        if missing := sorted(asked.keys() - set(files)):
            raise InputError(
                f"{root / FILE} names {missing[0]}, which is not there or no image"
                f"{_and_others(missing)}. Restore it, or remove that row."
            )
    else:
        asked, place = _beside(root, files), "a .txt beside them"
        if not asked:
            asked, place = _inside(files, headers), "their PNG metadata"
    lacking = [file for file in files if file not in asked]
    if asked and lacking:
        raise InputError(
            f"{place} says what {len(asked):,} images of {root} show, but not what {lacking[0]} "
            f"does{_and_others(lacking)}. Add that, or remove the image."
        )
    if asked:
        _refuse_gaps(root, place, asked)
    return [asked[file] for file in files] if asked else None


def in_order(file: Path, prompts: Sequence[str], files: Sequence[str]) -> list[Asked]:
    """The lines of a text file, for images in their natural order."""
    if len(prompts) != len(files):
        raise InputError(
            f"{file} holds {len(prompts):,} prompts for {len(files):,} images. "
            "Write one line for each, in the order of their names."
        )
    return [Asked(prompt) for prompt in prompts]


def _refuse_gaps(root: Path, place: str, asked: Mapping[str, Asked]) -> None:
    for name in ("seed", "category"):
        without = [file for file, each in asked.items() if getattr(each, name) is None]
        if 0 < len(without) < len(asked):
            raise InputError(
                f"{place} gives the {name} of some images of {root}, but not of {without[0]}. "
                "Add it, or leave it out of all."
            )


def _listed(file: Path) -> dict[str, Asked]:
    text_file.refuse_other_text(file, "one JSON object per image")
    asked: dict[str, Asked] = {}
    for number, row in enumerate(json_lines.read(file), 1):
        name, prompt, seed, category = (
            (row or {}).get(key) for key in ("file", "prompt", "seed", "category")
        )
        if not (isinstance(name, str) and isinstance(prompt, str) and _is_text(prompt)):
            raise InputError(
                f"row {number:,} of {file} is no object with a file and a prompt. Correct it."
            )
        if (seed is not None and type(seed) is not int) or not isinstance(category, str | None):
            raise InputError(
                f"row {number:,} of {file} has a seed that is no whole number, or a category that "
                "is no text. Correct it, or leave it out."
            )
        name = Path(name).as_posix()  # ./a.png is a.png
        if name in asked:
            raise InputError(f"{file} names {name} twice. Remove one of these rows.")
        asked[name] = Asked(prompt.strip(), seed, category)
    return asked


def _beside(root: Path, files: Sequence[str]) -> dict[str, Asked]:
    asked: dict[str, Asked] = {}
    for name in files:
        file = (root / name).with_suffix(".txt")
        if file.is_file():
            text_file.refuse_other_text(file, "its caption")
            try:
                prompt = file.read_text(encoding="utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise InputError(f"{file} is not UTF-8. Convert it to UTF-8.") from error
            asked[name] = Asked(prompt)
    return asked


def _inside(files: Sequence[str], headers: Sequence[Header]) -> dict[str, Asked]:
    return {
        name: Asked(header.prompt, header.seed if type(header.seed) is int else None)
        for name, header in zip(files, headers, strict=True)
        if _is_text(header.prompt)
    }


def _is_text(value: Any) -> bool:
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that are not UTF-8
        return False
    return True


def _and_others(names: Sequence[str]) -> str:
    return f" (and {len(names) - 1:,} more)" if len(names) > 1 else ""
