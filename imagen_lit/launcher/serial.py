"""One cell after another, in one process beside this one."""

from collections.abc import Sequence

from imagen_lit.ablation.cell import Cell
from imagen_lit.launcher.dispatch import Dispatch
from imagen_lit.launcher.launcher import Work


class Serial:
    """A laptop's."""

    def launch(self, cells: Sequence[Cell], work: Work, runs: str, ablation: str) -> None:
        """See `Launcher`."""
        Dispatch(cells, work, runs, 1).run()
