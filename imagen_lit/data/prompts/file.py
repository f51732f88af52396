"""Prompts of one's own, in a text file."""

from pathlib import Path

from lightning import LightningDataModule

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file


class TextFile:
    """The lines of a UTF-8 file that are not blank, or the first `count` of them. The first is
    drawn from `seed`, and each next one from the next seed."""

    def __init__(self, path: str, count: int | None = None, seed: int = 0) -> None:
        file = Path(path)
        if not file.is_file():
            raise FileNotFoundError(
                f"there is no file {path}. Set prompts.path=... to a text file of one prompt per "
                "line."
            )
        text_file.refuse_other_text(file, "one prompt per line")
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} is not UTF-8 (byte {error.start} is not). Convert it to UTF-8."
            ) from error
        limit = None if count is None else whole_number("prompts.count", count, 1)
        self.prompts = [line.strip() for line in lines if line.strip()][:limit]
        if not self.prompts:
            raise InputError(f"{path} holds no prompts. Write one per line.")
        seed = whole_number("prompts.seed", seed, 0)
        self.seeds = list(range(seed, seed + len(self.prompts)))

    def of(self, data: LightningDataModule) -> "TextFile":
        """The same for all data."""
        return self
