"""Prompts in a column of a table."""

from imagen_lit.data.prompts import prompt_rows
from imagen_lit.data.prompts.prompt_list import PromptList


class PromptTable(PromptList):
    """The rows of a .csv, .tsv, .jsonl or .parquet file; `category` and `id` name columns too, null
    for none. `metadata` has all that each row says, but of a Parquet file only these columns."""

    def __init__(
        self,
        path: str,
        column: str = "prompt",
        category: str | None = None,
        id: str | None = None,
        count: int | None = None,
        seed: int = 0,
        seeds_per_prompt: int = 1,
    ) -> None:
        file = prompt_rows.require_file(path, "a table of prompts")
        rows = prompt_rows.read(file, [name for name in (column, category, id) if name is not None])
        super().__init__(
            file,
            [row.get(column) for row in rows],
            count,
            seed,
            seeds_per_prompt,
            categories=None if category is None else [row.get(category) for row in rows],
            ids=None if id is None else [row.get(id) for row in rows],
            metadata=rows,
        )
