"""DrawBench, the prompts of the paper's raters (Saharia et al. 2022, § 3 and App. C), from a copy
of the public sheet: 200 rows, with the columns `Prompts` (in some copies `Prompt`) and `Category`.

Blanks around a cell are removed, as after the label "Gary Marcus et al. ", and nothing else: the
misspellings are meant.
"""

from collections import Counter

from imagen_lit.basics.errors import InputError
from imagen_lit.data.prompts import prompt_rows
from imagen_lit.data.prompts.prompt_list import PromptList
from imagen_lit.data.source import csv_file

CATEGORIES = {
    "Colors": 25,
    "Conflicting": 10,
    "Counting": 19,
    "DALL-E": 20,
    "Descriptions": 20,
    "Gary Marcus et al.": 10,
    "Misspellings": 10,
    "Positional": 20,
    "Rare Words": 7,
    "Reddit": 38,
    "Text": 21,
}


class DrawBench(PromptList):
    """All of its prompts with their categories; a copy that lacks some of them, as there are, is
    refused, because its numbers would be compared with those of the whole."""

    def __init__(
        self, path: str, count: int | None = None, seed: int = 0, seeds_per_prompt: int = 1
    ) -> None:
        file = prompt_rows.require_file(path, "the sheet of DrawBench as .csv")
        names = csv_file.read(file)[0] if file.suffix.lower() == ".csv" else []
        column = "Prompt" if "Prompt" in names else "Prompts"
        rows = prompt_rows.read(file, [column, "Category"])
        prompts, categories = ([row[name] for row in rows] for name in (column, "Category"))
        super().__init__(file, prompts, count, seed, seeds_per_prompt, categories)
        there = Counter(str(category).strip() for category in categories)
        others = sorted(there.keys() | CATEGORIES.keys())
        if wrong := [name for name in others if there[name] != CATEGORIES.get(name, 0)]:
            first, size = wrong[0], CATEGORIES.get(wrong[0], 0)
            raise InputError(
                f"{path} is not all of DrawBench and nothing else: it has {len(rows)} prompts of "
                f"200, and of {first!r} {there[first]} instead of {size}. Fetch the whole sheet, "
                "or name these prompts otherwise: data/prompts=table prompts.column=... ."
            )
