"""Existing shards as a source: nothing is written, they are indexed where they are."""

from pathlib import Path

from imagen_lit.basics import chosen_folder


class Shards:
    """Tars made by img2dataset, or by another program, in one folder."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        chosen_folder.refuse_file("source.path", path, self.path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"There is no folder {path}. Set source.path=... to one.")
