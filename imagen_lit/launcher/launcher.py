"""A launcher does the cells of an ablation that are still to do, somewhere."""

from collections.abc import Callable, Sequence
from typing import Protocol

from imagen_lit.ablation.cell import Cell

Work = Callable[[Cell], None]  # does one cell in the process that calls it; a function of a module


class Launcher(Protocol):
    """Chosen by `launcher=…`, an option of conf/launcher/."""

    def launch(self, cells: Sequence[Cell], work: Work, runs: str, ablation: str) -> None:
        """Do these cells, each after those of them that it needs, and print what happens. A cell
        that fails stops nothing but those that need it."""
        ...
