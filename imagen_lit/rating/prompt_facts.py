"""What a file says of prompts beside the images: the category, and a question with its answer.

A sheet such as DrawBench's, a suite of ours, or the results of an evaluation: a .csv or .jsonl
whose rows have the prompt (`prompt` or `prompts`), and of the rest what they know: `category` (or
`ability`), `question`, `answer`. Capitals and blanks around a name or a text do not count.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from imagen_lit.basics.errors import InputError
from imagen_lit.rating.system import PromptImages, System

OTHER_NAMES = {"prompts": "prompt", "ability": "category"}
Facts = dict[str, dict[str, str]]  # by prompt


def read(file: Path) -> Facts:
    """The facts of each prompt; of a prompt that comes twice, the first that are not empty."""
    if not file.is_file():
        raise InputError(f"prompt_facts={file} is no file. Name a .csv or .jsonl, or set null.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        rows = list(_csv(text) if file.suffix.lower() == ".csv" else _json_lines(text))
    except (ValueError, csv.Error) as error:
        raise InputError(
            f"prompt_facts={file} cannot be read as a table: {error}. Write a .csv with a header, "
            "or a .jsonl, in UTF-8."
        ) from error
    facts: Facts = {}
    for row in rows:
        if prompt := row.get("prompt"):
            there = facts.setdefault(prompt, {})
            facts[prompt] = {**row, **{key: value for key, value in there.items() if value}}
    if not facts:
        raise InputError(
            f"prompt_facts={file} has no row with a prompt. Name the column of prompts prompt."
        )
    return facts


def add(system: System, facts: Facts) -> System:
    """The system, with what its folder does not say of its prompts itself."""
    if not facts.keys() & system.sets.keys():
        raise InputError(
            f"prompt_facts knows no prompt of {system.name}, whose first is "
            f"{next(iter(system.sets))!r}. Name the file that its prompts come from."
        )
    sets = {prompt: _add(images, facts.get(prompt, {})) for prompt, images in system.sets.items()}
    return replace(system, sets=sets)


def _add(images: PromptImages, facts: dict[str, str]) -> PromptImages:
    return replace(
        images,
        category=images.category or facts.get("category", ""),
        question=images.question or facts.get("question", ""),
        answer=images.answer or facts.get("answer", ""),
    )


def _csv(text: str) -> Iterator[dict[str, str]]:
    return map(_texts, csv.DictReader(io.StringIO(text), strict=True))


def _json_lines(text: str) -> Iterator[dict[str, str]]:
    for line in text.splitlines():
        row = json.loads(line) if line.strip() else {}
        yield _texts(row if isinstance(row, dict) else {})


def _texts(row: dict) -> dict[str, str]:
    names = {key: str(key).strip().lower() for key in row}
    return {
        OTHER_NAMES.get(names[key], names[key]): str(value).strip()
        for key, value in row.items()
        if isinstance(value, (str, int, float))
    }
