"""Several cells at once on this machine, each in a process of its own."""

from collections.abc import Sequence

from imagen_lit.ablation.cell import Cell
from imagen_lit.basics.arguments import whole_number
from imagen_lit.launcher.dispatch import Dispatch
from imagen_lit.launcher.launcher import Work


class Joblib:
    """`n_jobs` processes; all compute on the same device."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = whole_number("launcher.n_jobs", n_jobs, 1)

    def launch(self, cells: Sequence[Cell], work: Work, runs: str, ablation: str) -> None:
        """See `Launcher`."""
        Dispatch(cells, work, runs, self.n_jobs).run()
