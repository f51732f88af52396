"""Prompts in the order of a file, each drawn from one seed or several.

A prompt loses the blanks around it, which no text encoder of ours reads, and nothing else. One that
comes twice stays twice: each time it is drawn from seeds of its own, and counted as another draw of
the same prompt.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.errors import InputError

Item = TypeVar("Item")

STRIDE = 1_000_000  # between the seeds of one prompt: so many prompts have different ones


class PromptList:
    """The first `count` of a file's prompts, null for all, each with `seeds_per_prompt` images in a
    row. Draw j of prompt i has the seed `seed` + i + 1,000,000 j, so more prompts or more draws
    change no image. `categories`, `ids` and `metadata`, all else that the file says of a prompt,
    are there where the file has them.
    """

    categories: list[str]
    ids: list[str]
    metadata: list[Mapping[str, Any]]

    def __init__(
        self,
        file: Path,
        prompts: Sequence[Any],
        count: int | None = None,
        seed: int = 0,
        seeds_per_prompt: int = 1,
        categories: Sequence[Any] | None = None,
        ids: Sequence[Any] | None = None,
        metadata: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        limit = None if count is None else whole_number("prompts.count", count, 1)
        draws = whole_number("prompts.seeds_per_prompt", seeds_per_prompt, 1)
        texts = _texts(file, "prompt", prompts)[:limit]
        if not texts:
            raise InputError(f"{file} holds no prompts. Write one per line.")
        if len(texts) > STRIDE:
            raise InputError(
                f"{file} holds {len(texts):,} prompts, more than {STRIDE:,}. Set prompts.count."
            )
        self.prompts = repeat(texts, draws)
        self.seeds = seeds(len(texts), seed, draws)
        if categories is not None:
            self.categories = repeat(_texts(file, "category", categories)[:limit], draws)
        if ids is not None:
            self.ids = repeat(_texts(file, "id", ids)[:limit], draws)
        if metadata is not None:
            self.metadata = repeat(metadata[:limit], draws)

    def of(self, data: Any) -> "PromptList":
        """The same for all data."""
        return self


def seeds(prompts: int, first: int, draws: int) -> list[int]:
    """Those of each prompt's draws, prompt by prompt."""
    first = whole_number("prompts.seed", first, 0)
    numbers = range(first, first + prompts)
    return [number + STRIDE * draw for number in numbers for draw in range(draws)]


def repeat(items: Sequence[Item], times: int) -> list[Item]:
    """Each item so many times in a row."""
    return [item for item in items for _ in range(times)]


def _texts(file: Path, kind: str, cells: Sequence[Any]) -> list[str]:
    """The cells as text, or the file is refused with the first that is none."""
    texts = []
    for number, cell in enumerate(cells, 1):
        text = str(cell) if kind != "prompt" and type(cell) is int else cell
        if not isinstance(text, str) or not text.strip():
            problem = "is empty" if cell is None or isinstance(cell, str) else f"is {cell!r}"
            raise InputError(
                f"the {kind} of row {number:,} of {file} {problem}, where a text must be. "
                "Correct or remove that row."
            )
        texts.append(text.strip())
    return texts
