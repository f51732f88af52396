"""Prompts of one's own, in a text file."""

from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file
from imagen_lit.data.prompts import prompt_rows
from imagen_lit.data.prompts.prompt_list import PromptList

TABLES = (".csv", ".tsv", ".parquet")


class TextFile(PromptList):
    """The lines of a UTF-8 file that are not blank, or the first `count` of them. The first is
    drawn from `seed`, and each next one from the next seed."""

    def __init__(
        self, path: str, count: int | None = None, seed: int = 0, seeds_per_prompt: int = 1
    ) -> None:
        file = prompt_rows.require_file(path, "a text file of one prompt per line")
        if file.suffix.lower() in TABLES:
            raise InputError(
                f"{path} is a table by its name, whose first line and commas would be drawn. Set "
                "data/prompts=table."
            )
        text_file.refuse_other_text(file, "one prompt per line")
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} is not UTF-8 (byte {error.start} is not). Convert it to UTF-8."
            ) from error
        prompts = [line for line in lines if line.strip()]
        super().__init__(file, prompts, count, seed, seeds_per_prompt)
