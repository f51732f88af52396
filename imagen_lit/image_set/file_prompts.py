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
KEYS = ("file", "prompt", "seed", "category")  # of its rows; others are not read


class ImagePrompt(NamedTuple):
    """What an image was asked to show, and where known from which seed and of which category."""

    prompt: str
    seed: int | None = None
    category: str | None = None


def of(root: Path, files: Sequence[str], headers: Sequence[Header]) -> list[ImagePrompt] | None:
    """For each file, None if nothing says anything."""
    if (root / FILE).is_file():
        by_file, place = _listed(root / FILE), FILE
        if missing := sorted(by_file.keys() - set(files)):
            raise InputError(
                f"{root / FILE} names {missing[0]}, which is not there or no image"
                f"{_and_others(missing)}. Restore it, or remove that row."
            )
    else:
        by_file, place = _beside(root, files), "a .txt beside them"
        if not by_file:
            by_file, place = _inside(files, headers), "their PNG metadata"
    lacking = [file for file in files if file not in by_file]
    if by_file and lacking:
        raise InputError(
            f"{place} says what {len(by_file):,} images of {root} show, but not what {lacking[0]} "
            f"does{_and_others(lacking)}. Add that, or remove the image."
        )
    if by_file:
        _refuse_gaps(root, place, by_file)
    return [by_file[file] for file in files] if by_file else None


def in_order(file: Path, prompts: Sequence[str], files: Sequence[str]) -> list[ImagePrompt]:
    """The lines of a text file, for images in their natural order."""
    if len(prompts) != len(files):
        raise InputError(
            f"{file} holds {len(prompts):,} prompts for {len(files):,} images. "
            "Write one line for each, in the order of their names."
        )
    return [ImagePrompt(prompt) for prompt in prompts]


def _refuse_gaps(root: Path, place: str, by_file: Mapping[str, ImagePrompt]) -> None:
    for name in ("seed", "category"):
        without = [file for file, each in by_file.items() if getattr(each, name) is None]
        if 0 < len(without) < len(by_file):
            raise InputError(
                f"{place} gives the {name} of some images of {root}, but not of {without[0]}. "
                "Add it, or leave it out of all."
            )


def _listed(file: Path) -> dict[str, ImagePrompt]:
    text_file.refuse_other_text(file, "one JSON object per image")
    by_file: dict[str, ImagePrompt] = {}
    for number, row in json_lines.numbered(file):
        name, prompt, seed, category = ((row or {}).get(key) for key in KEYS)
        if not (isinstance(name, str) and isinstance(prompt, str) and _is_text(prompt)):
            raise InputError(_refusal(file, number, row))
        if (seed is not None and type(seed) is not int) or not isinstance(category, str | None):
            raise InputError(
                f"line {number:,} of {file} has a seed that is no whole number, or a category that "
                "is no text. Correct it, or leave it out."
            )
        name = Path(name).as_posix()  # ./a.png is a.png
        if name in by_file:
            raise InputError(f"{file} names {name} twice. Remove one of these rows.")
        by_file[name] = ImagePrompt(prompt.strip(), seed, category)
    return by_file


def _refusal(file: Path, number: int, row: Mapping[str, Any] | None) -> str:
    """Why a line names no image with a prompt."""
    place = f"line {number:,} of {file}"
    if row is None:
        return f'{place} is no JSON object. Write {{"file": ..., "prompt": ...}}.'
    if lacking := [key for key in KEYS[:2] if key not in row]:
        return (
            f"{place} lacks {' and '.join(lacking)}: its keys are {', '.join(row) or 'none'}. "
            f"Give {KEYS[0]} and {KEYS[1]}, and {KEYS[2]} and {KEYS[3]} where they are known."
        )
    return f"{place} has a file or a prompt that is empty or no text. Correct it."


def _beside(root: Path, files: Sequence[str]) -> dict[str, ImagePrompt]:
    by_file: dict[str, ImagePrompt] = {}
    for name in files:
        file = (root / name).with_suffix(".txt")
        if file.is_file():
            text_file.refuse_other_text(file, "its caption")
            try:
                prompt = file.read_text(encoding="utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise InputError(f"{file} is not UTF-8. Convert it to UTF-8.") from error
            by_file[name] = ImagePrompt(prompt)
    return by_file


def _inside(files: Sequence[str], headers: Sequence[Header]) -> dict[str, ImagePrompt]:
    return {
        name: ImagePrompt(header.prompt, header.seed if type(header.seed) is int else None)
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
